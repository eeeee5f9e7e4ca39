#include "mbus_tpl.h"

#include "mbus_trace.h"

/* none:  CI
 * short: CI ACC STS CFG(2)
 * long:  CI ID(4) M(2) version type ACC STS CFG(2)
 * then CFE(1) in modes 7 and 13; CFGE(2) and MCR(4) in mode 10 */
#define MODE_7 7
#define MODE_10 10
#define MODE_13 13

struct ci_entry {
    uint8_t ci;
    enum mbus_header header;
    enum mbus_apl apl;
};

/* EN 13757-7, CI field codes that this decoder tells apart. */
static const struct ci_entry table[] = {
    { 0x50, MBUS_HEADER_NONE, MBUS_APL_COMMAND },  { 0x51, MBUS_HEADER_NONE, MBUS_APL_COMMAND },
    { 0x52, MBUS_HEADER_NONE, MBUS_APL_COMMAND },  { 0x53, MBUS_HEADER_LONG, MBUS_APL_COMMAND },
    { 0x54, MBUS_HEADER_NONE, MBUS_APL_COMMAND },  { 0x55, MBUS_HEADER_LONG, MBUS_APL_COMMAND },
    { 0x56, MBUS_HEADER_NONE, MBUS_APL_COMMAND },  { 0x5a, MBUS_HEADER_SHORT, MBUS_APL_COMMAND },
    { 0x5b, MBUS_HEADER_LONG, MBUS_APL_COMMAND },  { 0x5c, MBUS_HEADER_NONE, MBUS_APL_COMMAND },
    { 0x60, MBUS_HEADER_LONG, MBUS_APL_COMMAND },  { 0x61, MBUS_HEADER_SHORT, MBUS_APL_COMMAND },
    { 0x66, MBUS_HEADER_NONE, MBUS_APL_FOREIGN },  { 0x67, MBUS_HEADER_SHORT, MBUS_APL_FOREIGN },
    { 0x68, MBUS_HEADER_LONG, MBUS_APL_FOREIGN },  { 0x69, MBUS_HEADER_NONE, MBUS_APL_FORMAT },
    { 0x6a, MBUS_HEADER_SHORT, MBUS_APL_FORMAT },  { 0x6b, MBUS_HEADER_LONG, MBUS_APL_FORMAT },
    { 0x6c, MBUS_HEADER_LONG, MBUS_APL_COMMAND },  { 0x6d, MBUS_HEADER_LONG, MBUS_APL_COMMAND },
    { 0x6e, MBUS_HEADER_SHORT, MBUS_APL_ERROR },   { 0x6f, MBUS_HEADER_LONG, MBUS_APL_ERROR },
    { 0x70, MBUS_HEADER_NONE, MBUS_APL_ERROR },    { 0x71, MBUS_HEADER_NONE, MBUS_APL_ALARM },
    { 0x72, MBUS_HEADER_LONG, MBUS_APL_RECORDS },  { 0x73, MBUS_HEADER_LONG, MBUS_APL_COMPACT },
    { 0x74, MBUS_HEADER_SHORT, MBUS_APL_ALARM },   { 0x75, MBUS_HEADER_LONG, MBUS_APL_ALARM },
    { 0x78, MBUS_HEADER_NONE, MBUS_APL_RECORDS },  { 0x79, MBUS_HEADER_NONE, MBUS_APL_COMPACT },
    { 0x7a, MBUS_HEADER_SHORT, MBUS_APL_RECORDS }, { 0x7b, MBUS_HEADER_SHORT, MBUS_APL_COMPACT },
    { 0x7c, MBUS_HEADER_LONG, MBUS_APL_FOREIGN },  { 0x7d, MBUS_HEADER_SHORT, MBUS_APL_FOREIGN },
    { 0x7e, MBUS_HEADER_LONG, MBUS_APL_FOREIGN },  { 0x7f, MBUS_HEADER_SHORT, MBUS_APL_FOREIGN },
    { 0x80, MBUS_HEADER_LONG, MBUS_APL_NOTHING },  { 0x8a, MBUS_HEADER_SHORT, MBUS_APL_NOTHING },
    { 0x8b, MBUS_HEADER_LONG, MBUS_APL_NOTHING },
};

/* Where the wire has a meaning of its own: 73 is the fixed data structure (a compact frame over the
 * air), 76 and 77 are 72 and 73 with the most significant byte first. */
static const struct ci_entry wired_table[] = {
    { MBUS_CI_FIXED, MBUS_HEADER_NONE, MBUS_APL_FIXED },
    { MBUS_CI_RECORDS_MSB, MBUS_HEADER_LONG, MBUS_APL_RECORDS },
    { MBUS_CI_FIXED_MSB, MBUS_HEADER_NONE, MBUS_APL_FIXED },
};

static const struct ci_entry *find(uint8_t ci, bool wired)
{
    for (size_t i = 0; wired && i < sizeof wired_table / sizeof wired_table[0]; i++)
        if (wired_table[i].ci == ci)
            return &wired_table[i];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].ci == ci)
            return &table[i];
    return NULL;
}

enum mbus_apl mbus_apl_of(uint8_t ci, bool wired)
{
    const struct ci_entry *e = find(ci, wired);

    if (ci >= 0xa0 && ci <= 0xb7)
        return MBUS_APL_MANUFACTURER;
    return e ? e->apl : MBUS_APL_UNKNOWN;
}

static enum mbus_header header_of(uint8_t ci, bool wired)
{
    const struct ci_entry *e = find(ci, wired);

    return e ? e->header : MBUS_HEADER_NONE;
}

static void read_status_and_cfg(struct mbus_tpl *tpl, struct reader *in)
{
    tpl->access_number = reader_u8(in);
    tpl->status = reader_u8(in);
    tpl->cfg = reader_u16le(in);
    tpl->mode = (uint8_t)(tpl->cfg >> 8 & 0x1fu);
}

static void read_extension(struct mbus_tpl *tpl, struct reader *in)
{
    if (tpl->mode == MODE_7 || tpl->mode == MODE_13) {
        tpl->cfe[0] = reader_u8(in);
        tpl->cfe_len = 1;
    }
    if (tpl->mode == MODE_10) {
        reader_copy(in, tpl->cfe, 2);
        tpl->cfe_len = 2;
        tpl->aad_len = in->pos;
        reader_copy(in, tpl->mcr, sizeof tpl->mcr);
    }
}

enum frame_state mbus_tpl_read(struct mbus_context *ctx, struct reader *in)
{
    struct mbus_tpl *tpl = &ctx->tpl;
    size_t from = in->pos;

    tpl->start = in->data + from;
    tpl->start_len = reader_left(in);
    tpl->ci = reader_u8(in);
    if (in->failed)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends before the transport layer");
    tpl->header = header_of(tpl->ci, ctx->wired);
    ctx->msb_first = ctx->wired && (tpl->ci == MBUS_CI_RECORDS_MSB || tpl->ci == MBUS_CI_FIXED_MSB);
    if (tpl->header == MBUS_HEADER_LONG)
        tpl->address = mbus_address_read_long(in);
    if (ctx->msb_first)
        mbus_address_reverse(&tpl->address);
    if (tpl->header != MBUS_HEADER_NONE)
        read_status_and_cfg(tpl, in);
    if (tpl->header != MBUS_HEADER_NONE)
        read_extension(tpl, in);
    if (in->failed)
        return mbus_fail(ctx, FRAME_MALFORMED, "ends inside the transport header");
    if (tpl->aad_len)
        tpl->aad_len -= from;
    mbus_layer(ctx, "tpl", tpl->ci, from, in->pos);
    if (ctx->trace)
        mbus_trace_tpl(ctx, in->data + from, in->pos - from);
    mbus_field_hex(ctx, "ci", &tpl->ci, 1);
    if (tpl->header == MBUS_HEADER_LONG)
        mbus_set_meter(ctx, &tpl->address);
    if (tpl->header == MBUS_HEADER_NONE)
        return FRAME_OK;
    ctx->out->access_number = tpl->access_number;
    ctx->out->has_access_number = true;
    ctx->out->status = tpl->status;
    mbus_field_number(ctx, "access_number", tpl->access_number);
    mbus_field_number(ctx, "status", tpl->status);
    mbus_field_number(ctx, "configuration", tpl->cfg);
    return FRAME_OK;
}

bool mbus_tpl_announces(const uint8_t *p, size_t n, bool wired, struct mbus_address *meter)
{
    struct reader in = reader_of(p, n);
    struct mbus_tpl tpl = { .ci = reader_u8(&in) };

    tpl.header = header_of(tpl.ci, wired);
    if (tpl.header == MBUS_HEADER_NONE)
        return false;
    if (tpl.header == MBUS_HEADER_LONG)
        tpl.address = mbus_address_read_long(&in);
    read_status_and_cfg(&tpl, &in);
    if (in.failed)
        return false;
    if (tpl.header == MBUS_HEADER_LONG)
        *meter = tpl.address;
    return tpl.mode != 0;
}
