/* Control fields (IEC 62056-46, 6.4.3), P/F bit 10 set: SNRM 93, UA 73, DISC 53, DM 1f, FRMR 97;
 * I rrr 1 sss 0; RR rrr 1 0001. UA may name what it takes (6.4.4.4): 81 80 len, then 05
 * (information field, transmit), 06 (receive), 07 and 08 (windows), each with its length. */
#include "parsers/hdlc_link.h"

#include "base/reader.h"
#include "common/crc16.h"
#include "dlms_hdlc.h"

#include <string.h>

#define FORMAT_TYPE 0xa000u
#define SNRM 0x93
#define UA 0x73
#define DISC 0x53
#define POLL 0x10u
#define RR 0x01u
#define IS_INFORMATION(c) (((c)&0x01u) == 0)
#define INFO_DEFAULT 128u /* 6.4.4.4.3.2: where nothing is said */
#define FRAME_MAX 2047u   /* by the length field */
#define HEAD_MAX 16u

static const uint8_t llc_to_meter[HDLC_LLC_LEN] = { 0xe6, 0xe6, 0x00 };
static const uint8_t llc_from_meter[HDLC_LLC_LEN] = { 0xe6, 0xe7, 0x00 };

enum emt_err hdlc_link_init(struct hdlc_link *l, unsigned client, unsigned server,
                            unsigned physical)
{
    memset(l, 0, sizeof *l);
    writer_init_heap(&l->in, FRAME_MAX + 2);
    writer_init_heap(&l->apdu, HDLC_LINK_APDU_MAX + HDLC_LLC_LEN);
    if (client == 0 || client > 0x7f || server == 0 || server > 0x3fff || physical > 0x3fff) {
        l->state = HDLC_LINK_CLOSED;
        return EMT_ELIMIT;
    }
    l->client = client;
    l->info_max = INFO_DEFAULT;
    if (physical > 0x7f || server > 0x7f) {
        l->server = (uint32_t)server << 14 | physical;
        l->server_len = 4;
    } else if (physical) {
        l->server = (uint32_t)server << 7 | physical;
        l->server_len = 2;
    } else {
        l->server = server;
        l->server_len = 1;
    }
    return EMT_OK;
}

void hdlc_link_release(struct hdlc_link *l)
{
    writer_release(&l->in);
    writer_release(&l->apdu);
    l->state = HDLC_LINK_CLOSED;
}

/* ---- to the meter ---- */

static void put_check(uint8_t *frame, size_t n)
{
    uint16_t crc = crc16_x25(frame, n);

    frame[n] = (uint8_t)crc;
    frame[n + 1] = (uint8_t)(crc >> 8);
}

/* Layout in dlms_hdlc.c. head: the first bytes of the information field. */
static enum emt_err put_frame(struct hdlc_link *l, uint8_t control, const uint8_t *head,
                              size_t nhead, const uint8_t *p, size_t n, struct writer *out)
{
    uint8_t frame[FRAME_MAX];
    struct writer w;
    size_t info = nhead + n, len = 2 + l->server_len + 1 + 1 + 2 + (info ? info + 2 : 0);

    if (len > sizeof frame)
        return EMT_ELIMIT;
    writer_init_fixed(&w, frame, sizeof frame);
    writer_be(&w, FORMAT_TYPE | len, 2);
    for (unsigned i = l->server_len; i-- > 0;)
        writer_u8(&w, (uint8_t)((l->server >> (7 * i) & 0x7fu) << 1 | (i == 0)));
    writer_u8(&w, (uint8_t)(l->client << 1 | 1));
    writer_u8(&w, control);
    put_check(frame, w.len);
    w.len += 2;
    if (info) {
        writer_bytes(&w, head, nhead);
        writer_bytes(&w, p, n);
        put_check(frame, w.len);
        w.len += 2;
    }
    writer_u8(out, HDLC_FLAG);
    writer_bytes(out, frame, w.len);
    return writer_u8(out, HDLC_FLAG) ? EMT_OK : EMT_ELIMIT;
}

enum emt_err hdlc_link_connect(struct hdlc_link *l, struct writer *out)
{
    if (l->state != HDLC_LINK_IDLE)
        return EMT_ESTATE;
    l->state = HDLC_LINK_CONNECTING;
    return put_frame(l, SNRM, NULL, 0, NULL, 0, out);
}

enum emt_err hdlc_link_send(struct hdlc_link *l, const uint8_t *apdu, size_t n, struct writer *out)
{
    uint8_t control = (uint8_t)(l->receive << 5 | POLL | l->send << 1);

    if (l->state != HDLC_LINK_UP)
        return EMT_ESTATE;
    if (n + HDLC_LLC_LEN > l->info_max)
        return EMT_ELIMIT;
    l->send = (l->send + 1) & 7u;
    return put_frame(l, control, llc_to_meter, sizeof llc_to_meter, apdu, n, out);
}

enum emt_err hdlc_link_disconnect(struct hdlc_link *l, struct writer *out)
{
    if (l->state != HDLC_LINK_UP)
        return EMT_ESTATE;
    l->state = HDLC_LINK_CLOSED;
    return put_frame(l, DISC, NULL, 0, NULL, 0, out);
}

/* ---- from the meter ---- */

/* What the meter receives is what we may send; its parameter 06. */
static void read_parameters(struct hdlc_link *l, const struct hdlc_frame *f)
{
    struct reader in = reader_of(f->info, f->info_len);

    if (!f->info || reader_u8(&in) != 0x81 || reader_u8(&in) != 0x80)
        return;
    reader_skip(&in, 1);
    while (reader_left(&in) > 2) {
        uint8_t id = reader_u8(&in), len = reader_u8(&in);
        size_t v = 0;

        for (unsigned i = 0; i < len && i < 8; i++)
            v = v << 8 | reader_u8(&in);
        if (id == 0x06 && !in.failed && v >= 32)
            l->info_max = v < FRAME_MAX - HEAD_MAX ? v : FRAME_MAX - HEAD_MAX;
    }
}

/* The LLC header stands in the first segment only. */
static enum emt_err take_apdu(struct hdlc_link *l, enum hdlc_link_event *event)
{
    if (l->apdu.failed)
        return EMT_ELIMIT;
    if (l->apdu.len < HDLC_LLC_LEN || memcmp(l->apdu.data, llc_from_meter, HDLC_LLC_LEN) != 0)
        return EMT_EMALFORMED;
    l->apdu.len -= HDLC_LLC_LEN;
    memmove(l->apdu.data, l->apdu.data + HDLC_LLC_LEN, l->apdu.len);
    l->delivered = true;
    *event = HDLC_LINK_APDU;
    return EMT_OK;
}

static enum emt_err take_information(struct hdlc_link *l, const struct hdlc_frame *f,
                                     struct writer *out, enum hdlc_link_event *event)
{
    unsigned number = f->control >> 1 & 7u, acknowledged = f->control >> 5;

    if (l->state != HDLC_LINK_UP || number != l->receive || acknowledged != l->send || !f->info)
        return EMT_EMALFORMED;
    l->receive = (l->receive + 1) & 7u;
    writer_bytes(&l->apdu, f->info, f->info_len);
    if (!f->segmented)
        return take_apdu(l, event);
    if (l->apdu.failed)
        return EMT_ELIMIT;
    if (!(f->control & POLL))
        return EMT_OK; /* it goes on by itself */
    return put_frame(l, (uint8_t)(l->receive << 5 | POLL | RR), NULL, 0, NULL, 0, out);
}

static enum emt_err take_frame(struct hdlc_link *l, const struct hdlc_frame *f, struct writer *out,
                               enum hdlc_link_event *event)
{
    if (f->destination != l->client || f->source != l->server)
        return EMT_EMALFORMED;
    if (l->delivered) {
        writer_clear(&l->apdu);
        l->delivered = false;
    }
    if (IS_INFORMATION(f->control))
        return take_information(l, f, out, event);
    if ((f->control & 0x0fu) == RR)
        return EMT_OK;
    if (f->control != UA || l->state != HDLC_LINK_CONNECTING)
        return EMT_ECONFLICT; /* DM, FRMR, RNR, REJ */
    read_parameters(l, f);
    l->state = HDLC_LINK_UP;
    *event = HDLC_LINK_READY;
    return EMT_OK;
}

/* Bytes that the buffered ones still want: format field, then the length that it names. */
static size_t wanted(const struct writer *in)
{
    if (in->len < 3)
        return 3;
    return ((size_t)(in->data[1] & 0x07u) << 8 | in->data[2]) + 2;
}

static enum emt_err feed_one(struct hdlc_link *l, const uint8_t *p, size_t n, size_t *used,
                             struct writer *out, enum hdlc_link_event *event)
{
    struct hdlc_frame f;
    struct reader in;
    enum emt_err err;

    while (*used < n) {
        uint8_t b = p[*used];
        bool flag = b == HDLC_FLAG;

        (*used)++;
        /* One flag, and then no other: a flag may close one frame and open the next. */
        if ((l->in.len == 0 && !flag) || (l->in.len == 1 && flag))
            continue;
        writer_u8(&l->in, b);
        if (l->in.failed || (l->in.len == 3 && (l->in.data[1] & 0xf0u) != FORMAT_TYPE >> 8))
            return EMT_EMALFORMED;
        if (l->in.len < 3 || l->in.len < wanted(&l->in))
            continue;
        in = reader_of(l->in.data, l->in.len);
        err = hdlc_frame_read(&in, &f);
        if (err == EMT_OK)
            err = take_frame(l, &f, out, event);
        writer_clear(&l->in);
        if (flag)
            writer_u8(&l->in, HDLC_FLAG);
        return err;
    }
    return EMT_OK;
}

enum emt_err hdlc_link_feed(struct hdlc_link *l, const uint8_t *p, size_t n, size_t *used,
                            struct writer *out, enum hdlc_link_event *event)
{
    enum emt_err err;

    *used = 0;
    *event = HDLC_LINK_MORE;
    if (l->state != HDLC_LINK_CONNECTING && l->state != HDLC_LINK_UP)
        return EMT_ESTATE;
    err = feed_one(l, p, n, used, out, event);
    if (err != EMT_OK) {
        l->state = HDLC_LINK_CLOSED;
        *event = HDLC_LINK_MORE;
    }
    return err;
}
