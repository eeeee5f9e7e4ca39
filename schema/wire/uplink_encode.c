/* Plain structs into protobuf.
 *
 *  off size
 *    0    4  length of what follows, big endian, 1 .. UPLINK_MESSAGE_MAX
 *    4    n  Envelope (uplink.proto)
 *
 * Each kind has one function that checks its limits, fills the generated struct on the stack
 * (borrowing every text and byte string) and packs it. Only lists of messages need memory, in one
 * piece, for the time of the call. */
#include "uplink.pb-c.h"
#include "uplink_check.h"
#include "wire/uplink.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* protobuf-c has no const in its structs; packing does not write. */
static char *text_of(const char *s)
{
    return (char *)s;
}

static ProtobufCBinaryData bytes_of(const uint8_t *p, size_t n)
{
    ProtobufCBinaryData d = { n, (uint8_t *)p };
    return d;
}

/* proto3 leaves 0 out: no time and 1970 are the same. */
static uint64_t time_of(emt_time t)
{
    return t > 0 ? (uint64_t)t : 0;
}

static enum emt_err pack(const Emt__V1__Envelope *e, struct writer *w)
{
    size_t n = emt__v1__envelope__get_packed_size(e);

    if (n > UPLINK_MESSAGE_MAX)
        return EMT_ELIMIT;
    writer_be(w, n, UPLINK_PREFIX_LEN);
    uint8_t *p = writer_reserve(w, n);
    if (!p)
        return EMT_ELIMIT;
    emt__v1__envelope__pack(e, p);
    return EMT_OK;
}

static enum emt_err check_texts(const char *const *texts, size_t n)
{
    enum emt_err err = uplink_check_count(n, UPLINK_LIST_MAX);

    for (size_t i = 0; err == EMT_OK && i < n; i++)
        err = uplink_check_text(texts[i]);
    return err;
}

static enum emt_err encode_hello(const struct uplink_hello *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Hello b = EMT__V1__HELLO__INIT;
    enum emt_err err = check_texts(m->capabilities, m->ncapabilities);

    if (err == EMT_OK)
        err = uplink_check_text(m->software);
    if (err == EMT_OK)
        err = uplink_check_text(m->hardware);
    if (err == EMT_OK)
        err = uplink_check_text(m->serial);
    if (err != EMT_OK)
        return err;
    b.version_min = m->version_min;
    b.version_max = m->version_max;
    b.spool_id = bytes_of(m->spool_id, sizeof m->spool_id);
    b.next_seq = m->next_seq;
    b.oldest_seq = m->oldest_seq;
    b.n_capabilities = m->ncapabilities;
    b.capabilities = (char **)m->capabilities;
    b.software = text_of(m->software);
    b.hardware = text_of(m->hardware);
    b.serial = text_of(m->serial);
    b.sent_at_us = time_of(m->sent_at);
    e.body_case = EMT__V1__ENVELOPE__BODY_HELLO;
    e.hello = &b;
    return pack(&e, w);
}

static enum emt_err encode_welcome(const struct uplink_welcome *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Welcome b = EMT__V1__WELCOME__INIT;
    enum emt_err err = check_texts(m->capabilities, m->ncapabilities);

    if (err != EMT_OK)
        return err;
    b.version = m->version;
    b.last_seq = m->last_seq;
    b.credit_bytes = m->credit_bytes;
    b.n_capabilities = m->ncapabilities;
    b.capabilities = (char **)m->capabilities;
    b.epoch = m->epoch;
    b.idle_ms = m->idle_ms;
    b.server_time_us = time_of(m->server_time);
    b.max_message = m->max_message;
    b.max_frame = m->max_frame;
    e.body_case = EMT__V1__ENVELOPE__BODY_WELCOME;
    e.welcome = &b;
    return pack(&e, w);
}

static enum emt_err encode_frames(const struct uplink_frames *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Frames b = EMT__V1__FRAMES__INIT;
    enum emt_err err = uplink_check_count(m->nframes, UPLINK_FRAMES_MAX);

    for (size_t i = 0; err == EMT_OK && i < m->nframes; i++)
        err = uplink_check_count(m->frames[i].len, UPLINK_FRAME_MAX);
    if (err != EMT_OK)
        return err;
    Emt__V1__Frame *item = calloc(m->nframes + 1, sizeof *item);
    b.frames = calloc(m->nframes + 1, sizeof(Emt__V1__Frame *));
    if (item && b.frames) {
        for (size_t i = 0; i < m->nframes; i++) {
            const struct uplink_frame *f = &m->frames[i];
            emt__v1__frame__init(&item[i]);
            item[i].seq = f->seq;
            item[i].received_at_us = time_of(f->received_at);
            item[i].protocol = f->protocol;
            item[i].format = f->format;
            item[i].data = bytes_of(f->data, f->len);
            item[i].rssi_dbm = f->rssi_dbm;
            b.frames[i] = &item[i];
        }
        b.n_frames = m->nframes;
        e.body_case = EMT__V1__ENVELOPE__BODY_FRAMES;
        e.frames = &b;
        err = pack(&e, w);
    } else {
        err = EMT_ENOMEM;
    }
    free(b.frames);
    free(item);
    return err;
}

static enum emt_err encode_ack(const struct uplink_ack *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Ack b = EMT__V1__ACK__INIT;
    Emt__V1__Rejected item[UPLINK_LIST_MAX];
    Emt__V1__Rejected *list[UPLINK_LIST_MAX];
    enum emt_err err = uplink_check_count(m->nrejected, UPLINK_LIST_MAX);

    for (size_t i = 0; err == EMT_OK && i < m->nrejected; i++) {
        emt__v1__rejected__init(&item[i]);
        item[i].seq = m->rejected[i].seq;
        item[i].reason = text_of(m->rejected[i].reason);
        list[i] = &item[i];
        err = uplink_check_text(m->rejected[i].reason);
    }
    if (err != EMT_OK)
        return err;
    b.up_to = m->up_to;
    b.credit_bytes = m->credit_bytes;
    b.rejected = list;
    b.n_rejected = m->nrejected;
    e.body_case = EMT__V1__ENVELOPE__BODY_ACK;
    e.ack = &b;
    return pack(&e, w);
}

static enum emt_err encode_gap(const struct uplink_gap *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Gap b = EMT__V1__GAP__INIT;
    enum emt_err err = uplink_check_text(m->reason);

    if (err != EMT_OK)
        return err;
    b.from = m->from;
    b.to = m->to;
    b.reason = text_of(m->reason);
    e.body_case = EMT__V1__ENVELOPE__BODY_GAP;
    e.gap = &b;
    return pack(&e, w);
}

static enum emt_err encode_status(const struct uplink_status *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Status b = EMT__V1__STATUS__INIT;
    Emt__V1__Metric item[UPLINK_LIST_MAX];
    Emt__V1__Metric *list[UPLINK_LIST_MAX];
    enum emt_err err = uplink_check_count(m->nmetrics, UPLINK_LIST_MAX);

    for (size_t i = 0; err == EMT_OK && i < m->nmetrics; i++) {
        emt__v1__metric__init(&item[i]);
        item[i].name = text_of(m->metrics[i].name);
        item[i].value = m->metrics[i].value;
        list[i] = &item[i];
        err = uplink_check_text(m->metrics[i].name);
    }
    if (err != EMT_OK)
        return err;
    b.at_us = time_of(m->at);
    b.uptime_s = m->uptime_s;
    b.spool_bytes = m->spool_bytes;
    b.spool_frames = m->spool_frames;
    b.frames_heard = m->frames_heard;
    b.load_permille = m->load_permille;
    b.memory_free_bytes = m->memory_free_bytes;
    b.disk_free_bytes = m->disk_free_bytes;
    b.metrics = list;
    b.n_metrics = m->nmetrics;
    e.body_case = EMT__V1__ENVELOPE__BODY_STATUS;
    e.status = &b;
    return pack(&e, w);
}

static enum emt_err encode_log(const struct uplink_log *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Log b = EMT__V1__LOG__INIT;
    enum emt_err err = uplink_check_text(m->text);

    if (err != EMT_OK)
        return err;
    b.at_us = time_of(m->at);
    b.level = m->level;
    b.text = text_of(m->text);
    e.body_case = EMT__V1__ENVELOPE__BODY_LOG;
    e.log = &b;
    return pack(&e, w);
}

static enum emt_err encode_command(const struct uplink_command *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Command b = EMT__V1__COMMAND__INIT;
    Emt__V1__Argument item[UPLINK_LIST_MAX];
    Emt__V1__Argument *list[UPLINK_LIST_MAX];
    enum emt_err err = uplink_check_text(m->name);

    if (err == EMT_OK)
        err = uplink_check_count(m->narguments, UPLINK_LIST_MAX);
    for (size_t i = 0; err == EMT_OK && i < m->narguments; i++) {
        emt__v1__argument__init(&item[i]);
        item[i].name = text_of(m->arguments[i].name);
        item[i].value = text_of(m->arguments[i].value);
        list[i] = &item[i];
        err = uplink_check_text(m->arguments[i].name);
        if (err == EMT_OK)
            err = uplink_check_text(m->arguments[i].value);
    }
    if (err != EMT_OK)
        return err;
    b.idempotency_key = bytes_of(m->idempotency_key, sizeof m->idempotency_key);
    b.name = text_of(m->name);
    b.arguments = list;
    b.n_arguments = m->narguments;
    b.expires_at_us = time_of(m->expires_at);
    e.body_case = EMT__V1__ENVELOPE__BODY_COMMAND;
    e.command = &b;
    return pack(&e, w);
}

static enum emt_err encode_command_result(const struct uplink_command_result *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__CommandResult b = EMT__V1__COMMAND_RESULT__INIT;
    enum emt_err err = uplink_check_text(m->text);

    if (err != EMT_OK)
        return err;
    b.idempotency_key = bytes_of(m->idempotency_key, sizeof m->idempotency_key);
    b.outcome = m->outcome;
    b.text = text_of(m->text);
    e.body_case = EMT__V1__ENVELOPE__BODY_COMMAND_RESULT;
    e.command_result = &b;
    return pack(&e, w);
}

static enum emt_err encode_bye(const struct uplink_bye *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Bye b = EMT__V1__BYE__INIT;
    enum emt_err err = uplink_check_text(m->reason);

    if (err != EMT_OK)
        return err;
    b.reason = text_of(m->reason);
    b.retry_after_ms = m->retry_after_ms;
    e.body_case = EMT__V1__ENVELOPE__BODY_BYE;
    e.bye = &b;
    return pack(&e, w);
}

static enum emt_err encode_request(const struct uplink_certificate_request *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__CertificateRequest b = EMT__V1__CERTIFICATE_REQUEST__INIT;
    enum emt_err err = uplink_check_count(m->len, UPLINK_CSR_MAX);

    if (err != EMT_OK)
        return err;
    b.csr = bytes_of(m->csr, m->len);
    e.body_case = EMT__V1__ENVELOPE__BODY_CERTIFICATE_REQUEST;
    e.certificate_request = &b;
    return pack(&e, w);
}

static enum emt_err encode_issued(const struct uplink_certificate_issued *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__CertificateIssued b = EMT__V1__CERTIFICATE_ISSUED__INIT;
    enum emt_err err = uplink_check_count(m->len, UPLINK_CHAIN_MAX);

    if (err == EMT_OK)
        err = uplink_check_text(m->reason);
    if (err != EMT_OK)
        return err;
    b.chain = bytes_of(m->chain, m->len);
    b.reason = text_of(m->reason);
    b.retry_after_ms = m->retry_after_ms;
    e.body_case = EMT__V1__ENVELOPE__BODY_CERTIFICATE_ISSUED;
    e.certificate_issued = &b;
    return pack(&e, w);
}

static enum emt_err encode_number(const struct uplink_message *m, struct writer *w)
{
    Emt__V1__Envelope e = EMT__V1__ENVELOPE__INIT;
    Emt__V1__Ping ping = EMT__V1__PING__INIT;
    Emt__V1__Pong pong = EMT__V1__PONG__INIT;
    Emt__V1__Credit credit = EMT__V1__CREDIT__INIT;

    if (m->kind == UPLINK_PING) {
        ping.nonce = m->u.nonce;
        e.body_case = EMT__V1__ENVELOPE__BODY_PING;
        e.ping = &ping;
    } else if (m->kind == UPLINK_PONG) {
        pong.nonce = m->u.nonce;
        e.body_case = EMT__V1__ENVELOPE__BODY_PONG;
        e.pong = &pong;
    } else {
        credit.credit_bytes = m->u.credit_bytes;
        e.body_case = EMT__V1__ENVELOPE__BODY_CREDIT;
        e.credit = &credit;
    }
    return pack(&e, w);
}

enum emt_err uplink_encode(const struct uplink_message *m, struct writer *w)
{
    switch (m->kind) {
    case UPLINK_HELLO:
        return encode_hello(&m->u.hello, w);
    case UPLINK_WELCOME:
        return encode_welcome(&m->u.welcome, w);
    case UPLINK_FRAMES:
        return encode_frames(&m->u.frames, w);
    case UPLINK_ACK:
        return encode_ack(&m->u.ack, w);
    case UPLINK_GAP:
        return encode_gap(&m->u.gap, w);
    case UPLINK_STATUS:
        return encode_status(&m->u.status, w);
    case UPLINK_LOG:
        return encode_log(&m->u.log, w);
    case UPLINK_PING:
    case UPLINK_PONG:
    case UPLINK_CREDIT:
        return encode_number(m, w);
    case UPLINK_COMMAND:
        return encode_command(&m->u.command, w);
    case UPLINK_COMMAND_RESULT:
        return encode_command_result(&m->u.command_result, w);
    case UPLINK_BYE:
        return encode_bye(&m->u.bye, w);
    case UPLINK_CERTIFICATE_REQUEST:
        return encode_request(&m->u.certificate_request, w);
    case UPLINK_CERTIFICATE_ISSUED:
        return encode_issued(&m->u.certificate_issued, w);
    }
    return EMT_EMALFORMED;
}
