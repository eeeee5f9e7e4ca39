#include "parsers/mbus_readout.h"

#include "base/reader.h"
#include "base/writer.h"
#include "mbus_record.h"
#include "mbus_wired.h"

#include <string.h>

/* short: 10 C A CS 16        selection: 68 0B 0B 68 73 FD 52 address(8) CS 16
 * FCB: 1 in the first request after SND_NKE or a selection, then toggled with each answer */
#define START_SHORT 0x10
#define START_LONG 0x68
#define STOP 0x16
#define ACK 0xe5
#define C_SND_NKE 0x40
#define C_SND_UD 0x73
#define C_REQ_UD2 0x5b
#define C_FCB 0x20u
#define C_FROM_PRIMARY 0x40u
#define C_FUNCTION 0x0fu
#define RSP_UD 0x08u
#define A_SELECTED 253
#define A_ANY 254
#define CI_SELECT 0x52
#define SECONDARY_LEN 8
#define SELECT_LEN (3 + SECONDARY_LEN) /* C A CI and the address */
#define LONG_OVERHEAD 6
/* Long header: ID M version type, then access number, status and configuration, which change. */
#define IDENTITY_LEN 8
#define CHANGING_LEN 4
#define MODE_RESERVED 14 /* from here on the "signature" of old meters */

void mbus_readout_primary(struct mbus_readout *r, uint8_t address, uint8_t *storage, size_t cap)
{
    memset(r, 0, sizeof *r);
    r->address = address;
    r->storage = storage;
    r->cap = cap;
}

void mbus_readout_secondary(struct mbus_readout *r, const uint8_t secondary[8], uint8_t *storage,
                            size_t cap)
{
    mbus_readout_primary(r, A_SELECTED, storage, cap);
    r->selects = true;
    memcpy(r->secondary, secondary, SECONDARY_LEN);
}

static void put_short(struct writer *w, uint8_t c, uint8_t a)
{
    writer_u8(w, START_SHORT);
    writer_u8(w, c);
    writer_u8(w, a);
    writer_u8(w, (uint8_t)(c + a));
    writer_u8(w, STOP);
}

static void put_selection(struct writer *w, const uint8_t secondary[SECONDARY_LEN])
{
    uint8_t sum = (uint8_t)(C_SND_UD + A_SELECTED + CI_SELECT);

    writer_u8(w, START_LONG);
    writer_u8(w, SELECT_LEN);
    writer_u8(w, SELECT_LEN);
    writer_u8(w, START_LONG);
    writer_u8(w, C_SND_UD);
    writer_u8(w, A_SELECTED);
    writer_u8(w, CI_SELECT);
    writer_bytes(w, secondary, SECONDARY_LEN);
    for (size_t i = 0; i < SECONDARY_LEN; i++)
        sum = (uint8_t)(sum + secondary[i]);
    writer_u8(w, sum);
    writer_u8(w, STOP);
}

bool mbus_readout_send(const struct mbus_readout *r, uint8_t out[MBUS_READOUT_SEND_MAX], size_t *n)
{
    struct writer w;

    writer_init_fixed(&w, out, MBUS_READOUT_SEND_MAX);
    switch (r->state) {
    case MBUS_READOUT_RESET:
        put_short(&w, C_SND_NKE, r->address);
        break;
    case MBUS_READOUT_SELECT:
        put_selection(&w, r->secondary);
        break;
    case MBUS_READOUT_REQUEST:
        put_short(&w, (uint8_t)(C_REQ_UD2 | (r->fcb ? C_FCB : 0)), r->address);
        break;
    case MBUS_READOUT_DONE:
    case MBUS_READOUT_SILENT:
        return false;
    }
    *n = w.len;
    return true;
}

static void move(struct mbus_readout *r, enum mbus_readout_state state)
{
    r->state = state;
    r->tries = 0;
}

/* No answer, or none that can be used. What was read before is a readout, if not a whole one. */
static void try_again(struct mbus_readout *r)
{
    if (r->tries++ < MBUS_READOUT_RETRIES)
        return;
    if (r->telegrams > 0) {
        r->cut = true;
        move(r, MBUS_READOUT_DONE);
    } else {
        move(r, MBUS_READOUT_SILENT);
    }
}

static void begin_requests(struct mbus_readout *r)
{
    r->fcb = true;
    move(r, MBUS_READOUT_REQUEST);
}

static void after_reset(struct mbus_readout *r, bool ack)
{
    /* Nobody is selected as a rule, so that nobody answers at 253. */
    if (r->selects)
        move(r, MBUS_READOUT_SELECT);
    else if (ack)
        begin_requests(r);
    else
        try_again(r);
}

static void after_selection(struct mbus_readout *r, bool ack)
{
    if (ack)
        begin_requests(r);
    else
        try_again(r);
}

/* Bytes of the header behind a CI of record telegrams; false: another one. */
static bool header_len(uint8_t ci, size_t *len)
{
    switch (ci) {
    case 0x72:
    case 0x76:
        *len = IDENTITY_LEN + CHANGING_LEN;
        return true;
    case 0x7a:
        *len = CHANGING_LEN;
        return true;
    case 0x78:
        *len = 0;
        return true;
    default:
        return false;
    }
}

/* Does the telegram end with DIF 1F? Encrypted records do not tell. */
static bool more_follows(const struct mbus_wired *w)
{
    struct reader in = reader_of(w->body, w->body_len);
    struct mbus_record rec = { 0 };
    size_t len;

    if (!header_len(reader_u8(&in), &len))
        return false;
    if (len > 0) {
        unsigned mode = reader_peek(&in, len - 1) & 0x1fu;

        if (mode != 0 && mode < MODE_RESERVED)
            return false;
        reader_skip(&in, len);
    }
    while (mbus_record_decode(&in, &rec) == EMT_OK)
        if (rec.tail)
            return rec.more_follows;
    return false;
}

/* The same telegram but for what counts up in its header. */
static bool same_telegram(const struct mbus_wired *a, const struct mbus_wired *b)
{
    size_t len, changing;

    if (a->body_len != b->body_len || a->body[0] != b->body[0])
        return false;
    if (!header_len(a->body[0], &len) || 1 + len > a->body_len)
        return memcmp(a->body, b->body, a->body_len) == 0;
    changing = len > 0 ? len - CHANGING_LEN : 0;
    return memcmp(a->body, b->body, 1 + changing) == 0 &&
           memcmp(a->body + 1 + len, b->body + 1 + len, a->body_len - 1 - len) == 0;
}

static bool is_last_again(const struct mbus_readout *r, const struct mbus_wired *w)
{
    struct mbus_wired last;

    return r->telegrams > 0 &&
           mbus_wired_parse(r->storage + r->last, r->len - r->last, &last) == EMT_OK &&
           same_telegram(&last, w);
}

static bool append(struct mbus_readout *r, const uint8_t *p, size_t n)
{
    if (n > r->cap - r->len)
        return false;
    memcpy(r->storage + r->len, p, n);
    r->last = r->len;
    r->len += n;
    r->telegrams++;
    return true;
}

static bool is_answer(const struct mbus_readout *r, const struct mbus_wired *w)
{
    return w->kind == MBUS_WIRED_LONG && w->body_len > 0 && !(w->c & C_FROM_PRIMARY) &&
           (w->c & C_FUNCTION) == RSP_UD &&
           (w->a == r->address || r->address == A_SELECTED || r->address == A_ANY);
}

static void after_request(struct mbus_readout *r, const uint8_t *p, size_t n)
{
    struct mbus_wired w;
    bool more;

    if (mbus_wired_parse(p, n, &w) != EMT_OK || !is_answer(r, &w)) {
        try_again(r); /* with the same FCB: the meter repeats what was lost */
        return;
    }
    if (is_last_again(r, &w)) {
        r->repeated = true;
        move(r, MBUS_READOUT_DONE);
        return;
    }
    more = more_follows(&w);
    if (!append(r, p, n - w.trailing)) {
        r->cut = true;
        move(r, MBUS_READOUT_DONE);
        return;
    }
    r->cut = more && r->telegrams == MBUS_READOUT_TELEGRAMS_MAX;
    r->fcb = !r->fcb;
    move(r, more && !r->cut ? MBUS_READOUT_REQUEST : MBUS_READOUT_DONE);
}

void mbus_readout_receive(struct mbus_readout *r, const uint8_t *p, size_t n)
{
    bool ack = n > 0 && p[0] == ACK;

    switch (r->state) {
    case MBUS_READOUT_RESET:
        after_reset(r, ack);
        return;
    case MBUS_READOUT_SELECT:
        after_selection(r, ack);
        return;
    case MBUS_READOUT_REQUEST:
        after_request(r, p, n);
        return;
    case MBUS_READOUT_DONE:
    case MBUS_READOUT_SILENT:
        return;
    }
}

size_t mbus_readout_length(const uint8_t *p, size_t n)
{
    if (n == 0)
        return 0;
    if (p[0] == START_SHORT)
        return 5;
    if (p[0] != START_LONG)
        return 1;
    return n < 2 ? 0 : (size_t)p[1] + LONG_OVERHEAD;
}
