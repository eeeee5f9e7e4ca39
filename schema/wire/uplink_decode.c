/* Protobuf into plain structs.
 *
 * protobuf-c unpacks with an allocator on the caller's arena, so nothing needs to be freed and one
 * hostile message costs at most DECODE_MEMORY_MAX. What it accepts is then held against the limits
 * of uplink.h. */
#include "base/arena.h"
#include "uplink.pb-c.h"
#include "uplink_check.h"
#include "wire/uplink.h"

#include <assert.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static_assert((int)EMT__V1__ENVELOPE__BODY_HELLO == (int)UPLINK_HELLO,
              "kinds are the body's field numbers");
static_assert((int)EMT__V1__ENVELOPE__BODY_WELCOME == (int)UPLINK_WELCOME,
              "kinds are the body's field numbers");
static_assert((int)EMT__V1__ENVELOPE__BODY_FRAMES == (int)UPLINK_FRAMES,
              "kinds are the body's field numbers");
static_assert((int)EMT__V1__ENVELOPE__BODY_ACK == (int)UPLINK_ACK,
              "kinds are the body's field numbers");
static_assert((int)EMT__V1__ENVELOPE__BODY_COMMAND == (int)UPLINK_COMMAND,
              "kinds are the body's field numbers");
static_assert((int)EMT__V1__ENVELOPE__BODY_CREDIT == (int)UPLINK_CREDIT,
              "kinds are the body's field numbers");
static_assert((int)EMT__V1__ENVELOPE__BODY_CERTIFICATE_ISSUED == (int)UPLINK_CERTIFICATE_ISSUED,
              "kinds are the body's field numbers");

/* Memory for one message: a full one of 1 MiB and 4,096 frames takes below 3 MiB. Two bytes on the
 * wire can become a struct of fifty, so without this bound a message of empty elements would take
 * 25 MiB. */
#define DECODE_MEMORY_MAX ((size_t)8 * UPLINK_MESSAGE_MAX)

struct bounded {
    struct arena *arena;
    size_t left;
    bool full;
};

static void *bounded_alloc(void *ctx, size_t n)
{
    struct bounded *b = ctx;
    void *p = n <= b->left ? arena_alloc(b->arena, n) : NULL;

    if (!p)
        b->full = true;
    else
        b->left -= n;
    return p;
}

static void bounded_free(void *ctx, void *p)
{
    (void)ctx; /* the arena takes everything back at once */
    (void)p;
}

/* Memory for our own lists; EMT_ELIMIT as for the arena. */
static void *list_alloc(struct bounded *b, size_t n, size_t size)
{
    return bounded_alloc(b, n * size); /* n is within UPLINK_FRAMES_MAX */
}

static enum emt_err get_time(uint64_t us, emt_time *out)
{
    if (us > (uint64_t)INT64_MAX)
        return EMT_EMALFORMED;
    *out = us == 0 ? EMT_TIME_NONE : (emt_time)us;
    return EMT_OK;
}

static enum emt_err get_text(const char *text, const char **out)
{
    *out = text ? text : "";
    return uplink_check_text(text);
}

static enum emt_err get_bytes(const ProtobufCBinaryData *d, uint8_t *out, size_t n)
{
    if (d->len != n)
        return EMT_EMALFORMED;
    memcpy(out, d->data, n);
    return EMT_OK;
}

static enum emt_err get_texts(char **texts, size_t n, const char *const **out, size_t *nout)
{
    enum emt_err err = uplink_check_count(n, UPLINK_LIST_MAX);

    for (size_t i = 0; err == EMT_OK && i < n; i++)
        err = uplink_check_text(texts[i]);
    *out = (const char *const *)texts;
    *nout = n;
    return err;
}

/* Goes on with the next field only while all is well: TRY(err, get_x(...)). */
#define TRY(err, call)                                                                             \
    do {                                                                                           \
        if ((err) == EMT_OK)                                                                       \
            (err) = (call);                                                                        \
    } while (0)

static enum emt_err decode_hello(const Emt__V1__Hello *b, struct uplink_hello *m)
{
    enum emt_err err = get_bytes(&b->spool_id, m->spool_id, sizeof m->spool_id);

    m->version_min = b->version_min;
    m->version_max = b->version_max;
    m->next_seq = b->next_seq;
    m->oldest_seq = b->oldest_seq;
    TRY(err, get_texts(b->capabilities, b->n_capabilities, &m->capabilities, &m->ncapabilities));
    TRY(err, get_text(b->software, &m->software));
    TRY(err, get_text(b->hardware, &m->hardware));
    TRY(err, get_text(b->serial, &m->serial));
    TRY(err, get_time(b->sent_at_us, &m->sent_at));
    return err;
}

static enum emt_err decode_welcome(const Emt__V1__Welcome *b, struct uplink_welcome *m)
{
    enum emt_err err = get_time(b->server_time_us, &m->server_time);

    m->version = b->version;
    m->last_seq = b->last_seq;
    m->credit_bytes = b->credit_bytes;
    m->epoch = b->epoch;
    m->idle_ms = b->idle_ms;
    m->max_message = b->max_message;
    m->max_frame = b->max_frame;
    TRY(err, get_texts(b->capabilities, b->n_capabilities, &m->capabilities, &m->ncapabilities));
    return err;
}

/* A frame longer than UPLINK_FRAME_MAX passes: the session answers it as rejected, so that the
 * agent need not keep it for ever. */
static enum emt_err decode_frames(const Emt__V1__Frames *b, struct bounded *mem,
                                  struct uplink_frames *m)
{
    enum emt_err err = uplink_check_count(b->n_frames, UPLINK_FRAMES_MAX);

    if (err != EMT_OK)
        return err;
    struct uplink_frame *list = list_alloc(mem, b->n_frames, sizeof *list);
    if (!list)
        return EMT_ELIMIT;
    for (size_t i = 0; err == EMT_OK && i < b->n_frames; i++) {
        const Emt__V1__Frame *f = b->frames[i];
        list[i] = (struct uplink_frame){ .seq = f->seq,
                                         .protocol = f->protocol,
                                         .format = f->format,
                                         .data = f->data.data,
                                         .len = f->data.len,
                                         .rssi_dbm = f->rssi_dbm };
        err = get_time(f->received_at_us, &list[i].received_at);
    }
    m->frames = list;
    m->nframes = b->n_frames;
    return err;
}

static enum emt_err decode_ack(const Emt__V1__Ack *b, struct bounded *mem, struct uplink_ack *m)
{
    enum emt_err err = uplink_check_count(b->n_rejected, UPLINK_LIST_MAX);

    if (err != EMT_OK)
        return err;
    struct uplink_rejected *list = list_alloc(mem, b->n_rejected, sizeof *list);
    if (!list)
        return EMT_ELIMIT;
    for (size_t i = 0; err == EMT_OK && i < b->n_rejected; i++) {
        list[i].seq = b->rejected[i]->seq;
        err = get_text(b->rejected[i]->reason, &list[i].reason);
    }
    m->up_to = b->up_to;
    m->rejected = list;
    m->nrejected = b->n_rejected;
    m->credit_bytes = b->credit_bytes;
    return err;
}

static enum emt_err decode_gap(const Emt__V1__Gap *b, struct uplink_gap *m)
{
    m->from = b->from;
    m->to = b->to;
    return get_text(b->reason, &m->reason);
}

static enum emt_err decode_status(const Emt__V1__Status *b, struct bounded *mem,
                                  struct uplink_status *m)
{
    enum emt_err err = uplink_check_count(b->n_metrics, UPLINK_LIST_MAX);

    if (err != EMT_OK)
        return err;
    struct uplink_metric *list = list_alloc(mem, b->n_metrics, sizeof *list);
    if (!list)
        return EMT_ELIMIT;
    for (size_t i = 0; err == EMT_OK && i < b->n_metrics; i++) {
        list[i].value = b->metrics[i]->value;
        err = get_text(b->metrics[i]->name, &list[i].name);
    }
    TRY(err, get_time(b->at_us, &m->at));
    m->uptime_s = b->uptime_s;
    m->spool_bytes = b->spool_bytes;
    m->spool_frames = b->spool_frames;
    m->frames_heard = b->frames_heard;
    m->load_permille = b->load_permille;
    m->memory_free_bytes = b->memory_free_bytes;
    m->disk_free_bytes = b->disk_free_bytes;
    m->metrics = list;
    m->nmetrics = b->n_metrics;
    return err;
}

static enum emt_err decode_log(const Emt__V1__Log *b, struct uplink_log *m)
{
    enum emt_err err = get_time(b->at_us, &m->at);

    m->level = b->level;
    TRY(err, get_text(b->text, &m->text));
    return err;
}

static enum emt_err decode_command(const Emt__V1__Command *b, struct bounded *mem,
                                   struct uplink_command *m)
{
    enum emt_err err = uplink_check_count(b->n_arguments, UPLINK_LIST_MAX);

    if (err != EMT_OK)
        return err;
    struct uplink_argument *list = list_alloc(mem, b->n_arguments, sizeof *list);
    if (!list)
        return EMT_ELIMIT;
    for (size_t i = 0; err == EMT_OK && i < b->n_arguments; i++) {
        err = get_text(b->arguments[i]->name, &list[i].name);
        TRY(err, get_text(b->arguments[i]->value, &list[i].value));
    }
    m->arguments = list;
    m->narguments = b->n_arguments;
    TRY(err, get_bytes(&b->idempotency_key, m->idempotency_key, sizeof m->idempotency_key));
    TRY(err, get_text(b->name, &m->name));
    TRY(err, get_time(b->expires_at_us, &m->expires_at));
    return err;
}

static enum emt_err decode_command_result(const Emt__V1__CommandResult *b,
                                          struct uplink_command_result *m)
{
    enum emt_err err =
        get_bytes(&b->idempotency_key, m->idempotency_key, sizeof m->idempotency_key);

    m->outcome = b->outcome;
    TRY(err, get_text(b->text, &m->text));
    return err;
}

static enum emt_err decode_bye(const Emt__V1__Bye *b, struct uplink_bye *m)
{
    m->retry_after_ms = b->retry_after_ms;
    return get_text(b->reason, &m->reason);
}

static enum emt_err decode_request(const Emt__V1__CertificateRequest *b,
                                   struct uplink_certificate_request *m)
{
    m->csr = b->csr.data;
    m->len = b->csr.len;
    return uplink_check_count(b->csr.len, UPLINK_CSR_MAX);
}

static enum emt_err decode_issued(const Emt__V1__CertificateIssued *b,
                                  struct uplink_certificate_issued *m)
{
    enum emt_err err = uplink_check_count(b->chain.len, UPLINK_CHAIN_MAX);

    m->chain = b->chain.data;
    m->len = b->chain.len;
    m->retry_after_ms = b->retry_after_ms;
    TRY(err, get_text(b->reason, &m->reason));
    return err;
}

static enum emt_err decode_body(const Emt__V1__Envelope *e, struct bounded *mem,
                                struct uplink_message *m)
{
    switch (m->kind) {
    case UPLINK_HELLO:
        return decode_hello(e->hello, &m->u.hello);
    case UPLINK_WELCOME:
        return decode_welcome(e->welcome, &m->u.welcome);
    case UPLINK_FRAMES:
        return decode_frames(e->frames, mem, &m->u.frames);
    case UPLINK_ACK:
        return decode_ack(e->ack, mem, &m->u.ack);
    case UPLINK_GAP:
        return decode_gap(e->gap, &m->u.gap);
    case UPLINK_STATUS:
        return decode_status(e->status, mem, &m->u.status);
    case UPLINK_LOG:
        return decode_log(e->log, &m->u.log);
    case UPLINK_PING:
        m->u.nonce = e->ping->nonce;
        return EMT_OK;
    case UPLINK_PONG:
        m->u.nonce = e->pong->nonce;
        return EMT_OK;
    case UPLINK_COMMAND:
        return decode_command(e->command, mem, &m->u.command);
    case UPLINK_COMMAND_RESULT:
        return decode_command_result(e->command_result, &m->u.command_result);
    case UPLINK_BYE:
        return decode_bye(e->bye, &m->u.bye);
    case UPLINK_CREDIT:
        m->u.credit_bytes = e->credit->credit_bytes;
        return EMT_OK;
    case UPLINK_CERTIFICATE_REQUEST:
        return decode_request(e->certificate_request, &m->u.certificate_request);
    case UPLINK_CERTIFICATE_ISSUED:
        return decode_issued(e->certificate_issued, &m->u.certificate_issued);
    }
    return EMT_EMALFORMED; /* no body, or one of a later version */
}

enum emt_err uplink_decode(const uint8_t *p, size_t len, struct arena *arena,
                           struct uplink_message *out)
{
    struct bounded mem = { arena, DECODE_MEMORY_MAX, false };
    ProtobufCAllocator allocator = { bounded_alloc, bounded_free, &mem };

    if (len > UPLINK_MESSAGE_MAX)
        return EMT_ELIMIT;
    const Emt__V1__Envelope *e = emt__v1__envelope__unpack(&allocator, len, p);
    if (!e)
        return mem.full ? EMT_ELIMIT : EMT_EMALFORMED;

    struct uplink_message m = { .kind = (enum uplink_kind)e->body_case };
    enum emt_err err = decode_body(e, &mem, &m);
    if (err == EMT_OK)
        *out = m;
    return err;
}
