/* Reads a DLMS/COSEM meter at each interval: association, identity, objects with their scales,
 * profiles by range, release. TCP with the wrapper or HDLC frames in it. */
#include "base/cipher.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "model/local_day.h"
#include "parsers/decode.h"
#include "parsers/dlms_client.h"
#include "parsers/hdlc_link.h"
#include "source_dlms_frame.h"
#include "source_internal.h"
#include "source_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define WRAPPER_LEN 8
#define CHALLENGE_LEN 16
#define SCALES_MAX 128
#define SESSION_LIMIT_MS 3600000
#define OVERLAP (EMT_HOUR) /* read again: rows that were not complete */
#define CHUNK_MIN (15 * EMT_MINUTE)
/* Counters set aside in the file before they are used, and how near to their end more are. */
#define COUNTERS 4096u
#define COUNTERS_LEFT 64u
#define COUNTER_EPOCH INT64_C(1577836800) /* 2020-01-01, seconds */
#define CLASS_DATA 1
#define CLASS_REGISTER 3
#define CLASS_DEMAND 5
#define CLASS_PROFILE 7

enum step {
    STEP_CONNECT,
    STEP_IDENTITY,
    STEP_NAME, /* where there is no identity: the logical device name */
    STEP_OBJECT_SCALE,
    STEP_OBJECT,
    STEP_COLUMNS,
    STEP_PERIOD,
    STEP_COLUMN_SCALE,
    STEP_BUFFER,
    STEP_RELEASE
};

struct scale_row {
    uint16_t class_id;
    struct obis obis;
    struct dlms_scale_unit scale; /* known = false: the meter has none */
};

struct profile {
    emt_time read_to; /* EMT_TIME_NONE: never */
    emt_time from, to, end;
    int64_t chunk; /* asked for at a time; halved when the answer is no frame */
    struct dlms_captured column[DLMS_FRAME_COLUMNS_MAX];
    unsigned ncolumns;
    uint32_t period_s;
};

struct dlms {
    struct source *source;
    const struct source_dlms *config;
    struct source_port *port;
    struct cipher *cipher;
    struct dlms_client client;
    struct hdlc_link hdlc;
    bool session; /* client and hdlc are initialised */
    struct event *answer, *limit;
    enum step step;
    unsigned object, profile, column;
    struct dlms_identity id;
    struct scale_row scale[SCALES_MAX];
    unsigned nscales;
    struct profile profiles[SOURCE_PROFILES_MAX];
    struct writer elements; /* values of objects, in our frame's form */
    unsigned nelements;
    uint32_t reserved; /* counters below are set aside in the file */
    uint8_t frame[DECODE_FRAME_MAX];
};

/* ---- the invocation counter: its values must never come twice ---- */

static bool has_counter(const struct dlms *m)
{
    return m->config->ciphered || m->config->mechanism == DLMS_MECHANISM_GMAC;
}

static enum emt_err store_counter(struct dlms *m, uint32_t value)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%u\n", value);

    if (file_write(m->config->counter_path, text, (size_t)n, 0600, NULL) != EMT_OK)
        return EMT_EIO;
    m->reserved = value;
    return EMT_OK;
}

/* A lost file begins with the seconds since 2020: above what readings of some seconds used. */
static enum emt_err load_counter(struct dlms *m, uint32_t *out)
{
    char *text = NULL;
    size_t n;
    int64_t now = clock_now() / EMT_SECOND - COUNTER_EPOCH;
    enum emt_err err = file_read(m->config->counter_path, 32, &text, &n, NULL);

    if (err == EMT_ENOTFOUND) {
        *out = now > 0 && now < UINT32_MAX ? (uint32_t)now : 1;
        return EMT_OK;
    }
    if (err != EMT_OK)
        return err;
    char *end = NULL;
    unsigned long long v = strtoull(text, &end, 10);
    err = end != text && (*end == '\n' || *end == '\0') && v < UINT32_MAX ? EMT_OK : EMT_EMALFORMED;
    *out = (uint32_t)v;
    free(text);
    return err;
}

static enum emt_err reserve(struct dlms *m)
{
    uint32_t next = m->client.config.counter;

    if (!has_counter(m) || m->reserved - next > COUNTERS_LEFT)
        return EMT_OK;
    return next > UINT32_MAX - COUNTERS ? EMT_ELIMIT : store_counter(m, next + COUNTERS);
}

/* ---- end of a reading ---- */

static void end_session(struct dlms *m)
{
    event_del(m->answer);
    event_del(m->limit);
    source_port_close(m->port);
    m->source->counters.connected = 0;
    if (!m->session)
        return;
    if (has_counter(m) && store_counter(m, m->client.config.counter) != EMT_OK)
        LOG_WARN("source-counter-unsaved", LOG_S("source", m->source->config->name));
    dlms_client_release(&m->client);
    hdlc_link_release(&m->hdlc);
    m->session = false;
}

static void fail(struct dlms *m, const char *reason)
{
    end_session(m);
    source_failed(m->source, reason);
}

/* ---- to the meter ---- */

/* What the client wrote, framed. False: the reading is over. */
static bool send_message(struct dlms *m, struct writer *w)
{
    uint8_t storage[2048];
    struct writer out;

    if (!w->failed && !m->config->hdlc) {
        source_port_write(m->port, w->data, w->len);
    } else if (!w->failed && w->len > WRAPPER_LEN) {
        writer_init_fixed(&out, storage, sizeof storage);
        w->failed =
            hdlc_link_send(&m->hdlc, w->data + WRAPPER_LEN, w->len - WRAPPER_LEN, &out) != EMT_OK;
        source_port_write(m->port, storage, w->failed ? 0 : out.len);
    }
    if (w->failed) {
        fail(m, "a request is longer than the meter takes");
        return false;
    }
    source_after(m->answer, m->source->config->timeout_ms);
    return true;
}

static void ask(struct dlms *m, const struct dlms_client_get *what)
{
    uint8_t storage[2048];
    struct writer w;

    writer_init_fixed(&w, storage, sizeof storage);
    if (dlms_client_get(&m->client, what, &w) != EMT_OK)
        fail(m, "the request cannot be made");
    else
        (void)send_message(m, &w);
}

static void ask_attribute(struct dlms *m, uint16_t class_id, struct obis obis, int8_t attribute)
{
    struct dlms_client_get what = { .class_id = class_id, .obis = obis, .attribute = attribute };

    ask(m, &what);
}

/* date-time of IEC 62056-6-2 in German legal time with its deviation: meters that pass over the
 * deviation compare local times. */
static void put_clock(uint8_t out[12], emt_time t)
{
    int offset = local_offset_s(t);
    int16_t deviation = (int16_t)(-offset / 60);
    struct civil c;
    struct writer w;

    time_to_civil(t + offset * EMT_SECOND, &c);
    writer_init_fixed(&w, out, 12);
    writer_be(&w, (uint64_t)c.year, 2);
    writer_u8(&w, (uint8_t)c.month);
    writer_u8(&w, (uint8_t)c.day);
    writer_u8(&w, 0xff);
    writer_u8(&w, (uint8_t)c.hour);
    writer_u8(&w, (uint8_t)c.minute);
    writer_u8(&w, (uint8_t)c.second);
    writer_u8(&w, 0);
    writer_be(&w, (uint16_t)deviation, 2);
    writer_u8(&w, offset > 3600 ? 0x80 : 0);
}

static void ask_buffer(struct dlms *m)
{
    struct profile *p = &m->profiles[m->profile];
    struct dlms_client_get what = { .class_id = CLASS_PROFILE,
                                    .obis = m->config->profiles[m->profile].obis,
                                    .attribute = 2,
                                    .by_range = true };

    p->to = p->end - p->from > p->chunk ? p->from + p->chunk : p->end;
    put_clock(what.from, p->from);
    put_clock(what.to, p->to);
    ask(m, &what);
}

/* ---- scales, read once per process ---- */

static const struct dlms_scale_unit *find_scale(const struct dlms *m, uint16_t class_id,
                                                struct obis obis)
{
    for (unsigned i = 0; i < m->nscales; i++) {
        if (m->scale[i].class_id == class_id && obis_equal(m->scale[i].obis, obis))
            return &m->scale[i].scale;
    }
    return NULL;
}

static void keep_scale(struct dlms *m, uint16_t class_id, struct obis obis, const uint8_t *p,
                       size_t n)
{
    struct scale_row *row = &m->scale[m->nscales < SCALES_MAX ? m->nscales++ : SCALES_MAX - 1];

    *row = (struct scale_row){ .class_id = class_id, .obis = obis };
    if (!p || dlms_scale_unit_read(p, n, &row->scale) != EMT_OK)
        row->scale.known = false;
}

static bool is_scaled(uint16_t class_id)
{
    return class_id >= CLASS_REGISTER && class_id <= CLASS_DEMAND;
}

/* Attribute of the scale: 3 of registers, 4 of demand registers. */
static int8_t scale_attribute(uint16_t class_id)
{
    return class_id == CLASS_DEMAND ? 4 : 3;
}

/* ---- the steps of a reading ---- */

static void put_objects(struct dlms *m)
{
    struct writer w;

    if (m->nelements == 0)
        return;
    writer_init_fixed(&w, m->frame, sizeof m->frame);
    dlms_frame_values(&w, &m->id, m->elements.data, m->elements.len, m->nelements);
    if (w.failed || m->elements.failed)
        LOG_WARN("source-too-long", LOG_S("source", m->source->config->name));
    else
        source_put(m->source, PROTOCOL_DLMS, FRAME_FORMAT_NONE, w.data, w.len);
    writer_clear(&m->elements);
    m->nelements = 0;
}

static void release(struct dlms *m)
{
    uint8_t storage[512];
    struct writer w;

    m->step = STEP_RELEASE;
    writer_init_fixed(&w, storage, sizeof storage);
    if (dlms_client_disconnect(&m->client, &w) != EMT_OK)
        fail(m, "the association cannot be released");
    else
        (void)send_message(m, &w);
}

static void begin_range(struct dlms *m)
{
    struct profile *p = &m->profiles[m->profile];
    int64_t range = m->config->profiles[m->profile].range_ms * 1000;

    p->end = clock_now();
    p->from = p->end - range;
    if (p->read_to != EMT_TIME_NONE && p->read_to - OVERLAP > p->from)
        p->from = p->read_to - OVERLAP;
    if (p->chunk == 0)
        p->chunk = range;
    m->step = STEP_BUFFER;
    ask_buffer(m);
}

/* The scale of the next column that has one and is not known yet. */
static void next_column(struct dlms *m)
{
    struct profile *p = &m->profiles[m->profile];

    for (; m->column < p->ncolumns; m->column++) {
        struct dlms_captured *c = &p->column[m->column];
        const struct dlms_scale_unit *scale = find_scale(m, c->class_id, c->obis);
        /* Averages and maxima of demand registers (2, 3) are scaled as their attribute 4 says. */
        bool wanted = is_scaled(c->class_id) &&
                      (c->attribute == 2 || (c->class_id == CLASS_DEMAND && c->attribute == 3));

        if (!wanted)
            continue;
        if (!scale) {
            m->step = STEP_COLUMN_SCALE;
            ask_attribute(m, c->class_id, c->obis, scale_attribute(c->class_id));
            return;
        }
        c->scale = *scale;
    }
    begin_range(m);
}

static void next_profile(struct dlms *m)
{
    if (m->profile == m->config->nprofiles) {
        release(m);
        return;
    }
    m->step = STEP_COLUMNS;
    ask_attribute(m, CLASS_PROFILE, m->config->profiles[m->profile].obis, 3);
}

static void next_object(struct dlms *m)
{
    const struct source_object *o = &m->config->objects[m->object];

    if (m->object == m->config->nobjects) {
        put_objects(m);
        next_profile(m);
        return;
    }
    m->step = STEP_OBJECT;
    if (is_scaled(o->class_id) && !find_scale(m, o->class_id, o->obis)) {
        m->step = STEP_OBJECT_SCALE;
        ask_attribute(m, o->class_id, o->obis, scale_attribute(o->class_id));
        return;
    }
    ask_attribute(m, o->class_id, o->obis, 2);
}

static void log_refused(struct dlms *m, struct obis obis, uint8_t result)
{
    char text[OBIS_TEXT_MAX];

    LOG_WARN("source-object-refused", LOG_S("source", m->source->config->name),
             LOG_S("object", obis_format(obis, text)), LOG_I("result", result));
}

static void take_identity(struct dlms *m, const uint8_t *p, size_t n)
{
    static const struct obis name = { 0, 0, 42, 0, 0, 255 };

    if (p && n > 0 && n <= sizeof m->id.value) {
        memcpy(m->id.value, p, n);
        m->id.len = n;
        next_object(m);
    } else if (m->step == STEP_IDENTITY && obis_is_none(m->config->identity)) {
        m->step = STEP_NAME;
        m->id.obis = name;
        ask_attribute(m, CLASS_DATA, name, 2);
    } else {
        fail(m, "the meter does not say who it is");
    }
}

static void take_object(struct dlms *m, const uint8_t *p, size_t n, uint8_t result)
{
    static const struct dlms_scale_unit none;
    const struct source_object *o = &m->config->objects[m->object];
    const struct dlms_scale_unit *scale = find_scale(m, o->class_id, o->obis);

    if (p) {
        dlms_frame_value(&m->elements, o->obis, p, n, scale ? scale : &none);
        m->nelements++;
    } else {
        log_refused(m, o->obis, result);
    }
    m->object++;
    next_object(m);
}

static void take_columns(struct dlms *m, const uint8_t *p, size_t n, uint8_t result)
{
    struct profile *pr = &m->profiles[m->profile];
    struct obis obis = m->config->profiles[m->profile].obis;

    if (!p || dlms_captured_read(p, n, pr->column, &pr->ncolumns) != EMT_OK) {
        log_refused(m, obis, result);
        m->profile++;
        next_profile(m);
        return;
    }
    m->step = STEP_PERIOD;
    ask_attribute(m, CLASS_PROFILE, obis, 4);
}

/* True when the rows were put, or there are none; false: no frame holds them. */
static bool put_buffer(struct dlms *m, const uint8_t *p, size_t n)
{
    const struct profile *pr = &m->profiles[m->profile];
    struct writer w;

    if (n == 2 && p[0] == 0x01 && p[1] == 0)
        return true;
    writer_init_fixed(&w, m->frame, sizeof m->frame);
    dlms_frame_buffer(&w, &m->id, pr->column, pr->ncolumns, pr->period_s, p, n);
    if (w.failed)
        return false;
    source_put(m->source, PROTOCOL_DLMS, FRAME_FORMAT_NONE, w.data, w.len);
    return true;
}

static void take_buffer(struct dlms *m, const uint8_t *p, size_t n, uint8_t result)
{
    struct profile *pr = &m->profiles[m->profile];

    if (!p) {
        log_refused(m, m->config->profiles[m->profile].obis, result);
    } else if (put_buffer(m, p, n)) {
        pr->read_to = pr->to;
        pr->from = pr->to;
        if (pr->to < pr->end) {
            ask_buffer(m);
            return;
        }
    } else if (pr->to - pr->from > CHUNK_MIN) {
        pr->chunk = (pr->to - pr->from) / 2;
        ask_buffer(m);
        return;
    } else {
        LOG_WARN("source-too-long", LOG_S("source", m->source->config->name));
    }
    m->profile++;
    next_profile(m);
}

/* p NULL: refused with `result`. */
static void take_answer(struct dlms *m, const uint8_t *p, size_t n, uint8_t result)
{
    const struct source_object *o = &m->config->objects[m->object];
    struct profile *pr = &m->profiles[m->profile];

    switch (m->step) {
    case STEP_IDENTITY:
    case STEP_NAME:
        take_identity(m, p, n);
        break;
    case STEP_OBJECT_SCALE:
        keep_scale(m, o->class_id, o->obis, p, n);
        next_object(m);
        break;
    case STEP_OBJECT:
        take_object(m, p, n, result);
        break;
    case STEP_COLUMNS:
        take_columns(m, p, n, result);
        break;
    case STEP_PERIOD:
        if (!p || dlms_period_read(p, n, &pr->period_s) != EMT_OK)
            pr->period_s = 0;
        m->column = 0;
        next_column(m);
        break;
    case STEP_COLUMN_SCALE:
        keep_scale(m, pr->column[m->column].class_id, pr->column[m->column].obis, p, n);
        next_column(m);
        break;
    case STEP_BUFFER:
        take_buffer(m, p, n, result);
        break;
    case STEP_CONNECT:
    case STEP_RELEASE:
        break;
    }
}

static void associated(struct dlms *m)
{
    static const struct obis serial = { 0, 0, 96, 1, 0, 255 };

    LOG_DEBUG("source-associated", LOG_S("source", m->source->config->name));
    m->step = STEP_IDENTITY;
    m->id.obis = obis_is_none(m->config->identity) ? serial : m->config->identity;
    ask_attribute(m, CLASS_DATA, m->id.obis, 2);
}

static void released(struct dlms *m)
{
    uint8_t storage[64];
    struct writer w;

    writer_init_fixed(&w, storage, sizeof storage);
    if (m->config->hdlc && hdlc_link_disconnect(&m->hdlc, &w) == EMT_OK)
        source_port_write(m->port, w.data, w.len);
    end_session(m);
    source_done(m->source);
}

/* ---- from the meter ---- */

static const char *reason_of(const struct dlms *m, enum emt_err err)
{
    if (err == EMT_EAUTH)
        return m->step == STEP_CONNECT ? "the meter refuses the association, or proves nothing"
                                       : "an answer is not authentic";
    if (err == EMT_ELIMIT)
        return "an answer is too long";
    return err == EMT_ECONFLICT ? "the meter refuses the connection" : "an answer breaks the rules";
}

/* One event of the client. False: the session is over. */
static bool handle(struct dlms *m, const struct dlms_client_report *r, struct writer *out)
{
    if (reserve(m) != EMT_OK) {
        fail(m, "the invocation counter cannot be stored, or is used up");
        return false;
    }
    if (out->len > 0 && !send_message(m, out))
        return false;
    switch (r->event) {
    case DLMS_CLIENT_MORE:
        break;
    case DLMS_CLIENT_ASSOCIATED:
        associated(m);
        break;
    case DLMS_CLIENT_DATA:
        take_answer(m, m->client.answer.data, m->client.answer.len, 0);
        break;
    case DLMS_CLIENT_NO_DATA:
        take_answer(m, NULL, 0, r->result);
        break;
    case DLMS_CLIENT_RELEASED:
        released(m);
        break;
    }
    return m->session;
}

static void take_wrapped(struct dlms *m, const uint8_t *p, size_t n)
{
    while (n > 0 && m->session) {
        uint8_t storage[2048];
        struct writer out;
        struct dlms_client_report report;
        size_t used = 0;

        writer_init_fixed(&out, storage, sizeof storage);
        enum emt_err err = dlms_client_feed(&m->client, p, n, &used, &out, &report);
        if (err != EMT_OK) {
            fail(m, reason_of(m, err));
            return;
        }
        if (!handle(m, &report, &out))
            return;
        p += used;
        n -= used;
    }
}

static void associate(struct dlms *m)
{
    uint8_t storage[1024];
    struct writer w;

    writer_init_fixed(&w, storage, sizeof storage);
    if (dlms_client_associate(&m->client, &w) != EMT_OK)
        fail(m, "the association cannot be asked for");
    else
        (void)send_message(m, &w);
}

/* The client knows the wrapper only: each APDU gets one. */
static void take_apdu(struct dlms *m)
{
    uint8_t head[WRAPPER_LEN];
    struct writer w;

    if (m->hdlc.apdu.len > UINT16_MAX) {
        fail(m, reason_of(m, EMT_ELIMIT));
        return;
    }
    writer_init_fixed(&w, head, sizeof head);
    writer_be(&w, 1, 2);
    writer_be(&w, m->config->server, 2);
    writer_be(&w, m->config->client, 2);
    writer_be(&w, m->hdlc.apdu.len, 2);
    take_wrapped(m, head, sizeof head);
    if (m->session)
        take_wrapped(m, m->hdlc.apdu.data, m->hdlc.apdu.len);
}

static void take_hdlc(struct dlms *m, const uint8_t *p, size_t n)
{
    while (n > 0 && m->session) {
        uint8_t storage[256];
        struct writer out;
        enum hdlc_link_event event;
        size_t used = 0;

        writer_init_fixed(&out, storage, sizeof storage);
        enum emt_err err = hdlc_link_feed(&m->hdlc, p, n, &used, &out, &event);
        if (err != EMT_OK) {
            fail(m, reason_of(m, err));
            return;
        }
        if (out.len > 0) {
            source_port_write(m->port, out.data, out.len);
            source_after(m->answer, m->source->config->timeout_ms);
        }
        if (event == HDLC_LINK_READY)
            associate(m);
        else if (event == HDLC_LINK_APDU)
            take_apdu(m);
        p += used;
        n -= used;
    }
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct dlms *m = ctx;

    m->source->counters.bytes += n;
    if (m->config->hdlc)
        take_hdlc(m, p, n);
    else
        take_wrapped(m, p, n);
}

static void on_down(void *ctx, const char *reason)
{
    fail(ctx, reason);
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    fail(arg, "no answer");
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    fail(arg, "not done in time");
}

/* ---- begin ---- */

static enum emt_err make_client(struct dlms *m)
{
    const struct source_dlms *c = m->config;
    uint8_t challenge[CHALLENGE_LEN];
    struct dlms_client_config config = { .client = c->client,
                                         .server = c->server,
                                         .mechanism = c->mechanism,
                                         .secret = c->password.bytes,
                                         .secret_len = c->mechanism == DLMS_MECHANISM_LOW
                                                           ? c->password.len
                                                           : 0,
                                         .ciphered = c->ciphered,
                                         .cipher = m->cipher };
    enum emt_err err = EMT_OK;

    if (has_counter(m)) {
        memcpy(config.key.bytes, c->key.bytes, 16);
        memcpy(config.key.ak, c->authentication_key.bytes, 16);
        memcpy(config.key.system_title, c->system_title, 8);
        config.key.len = config.key.ak_len = 16;
        config.key.system_title_len = 8;
        err = load_counter(m, &config.counter);
    }
    if (err == EMT_OK && c->mechanism == DLMS_MECHANISM_GMAC) {
        err = cipher_random(challenge, sizeof challenge);
        config.secret = challenge;
        config.secret_len = sizeof challenge;
    }
    enum emt_err made = dlms_client_init(&m->client, &config);
    cipher_wipe(&config, sizeof config);
    return err == EMT_OK ? made : err;
}

static void on_up(void *ctx)
{
    struct dlms *m = ctx;
    uint8_t storage[64];
    struct writer w;
    enum emt_err err = make_client(m);

    m->source->counters.connected = 1;
    m->reserved = m->client.config.counter;
    m->step = STEP_CONNECT;
    m->object = m->profile = m->nelements = 0;
    writer_clear(&m->elements);
    if (err != EMT_OK || reserve(m) != EMT_OK) {
        dlms_client_release(&m->client);
        fail(m, "the invocation counter cannot be read or stored");
        return;
    }
    m->session = true;
    err = hdlc_link_init(&m->hdlc, m->config->hdlc ? m->config->client : 1,
                         m->config->hdlc ? m->config->server : 1, m->config->physical);
    if (!m->config->hdlc) {
        associate(m);
        return;
    }
    writer_init_fixed(&w, storage, sizeof storage);
    if (err != EMT_OK || hdlc_link_connect(&m->hdlc, &w) != EMT_OK) {
        fail(m, "the HDLC addresses cannot be used");
        return;
    }
    source_port_write(m->port, w.data, w.len);
    source_after(m->answer, m->source->config->timeout_ms);
}

static void begin(struct source *s)
{
    struct dlms *m = s->own;

    source_after(m->limit, SESSION_LIMIT_MS);
    source_port_open(m->port, s->config);
}

/* ---- life ---- */

static enum emt_err open_dlms(struct source *s, struct emt_diag *diag)
{
    struct dlms *m = calloc(1, sizeof *m);
    struct source_port_events events = { on_up, on_bytes, on_down, m };

    s->own = m;
    if (!m)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    m->source = s;
    m->config = &s->config->dlms;
    for (unsigned i = 0; i < SOURCE_PROFILES_MAX; i++)
        m->profiles[i].read_to = EMT_TIME_NONE;
    writer_init_heap(&m->elements, DECODE_FRAME_MAX);
    m->port = source_port_new(s->base, &events);
    m->answer = evtimer_new(s->base, on_answer, m);
    m->limit = evtimer_new(s->base, on_limit, m);
    m->cipher = cipher_new();
    if (!m->port || !m->answer || !m->limit || !m->cipher)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    source_after(s->next, 0);
    return EMT_OK;
}

static void close_dlms(struct source *s)
{
    struct dlms *m = s->own;

    if (!m)
        return;
    if (m->port && m->answer && m->limit)
        end_session(m);
    source_port_free(m->port);
    if (m->answer)
        event_free(m->answer);
    if (m->limit)
        event_free(m->limit);
    cipher_free(m->cipher);
    writer_release(&m->elements);
    free(m);
    s->own = NULL;
}

const struct source_kind source_kind_dlms = { open_dlms, begin, close_dlms };
