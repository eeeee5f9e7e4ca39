#include "parsers/explain.h"

#include "base/json_text.h"
#include "common/trace.h"
#include "model/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum emt_err explain_frame(const struct decode_request *req, struct decode_result *out,
                           struct explanation *ex)
{
    struct decode_request traced = *req;
    enum emt_err err;

    memset(ex, 0, sizeof *ex);
    traced.trace = trace_new(req->arena, req->frame, req->len);
    if (!traced.trace) {
        memset(out, 0, sizeof *out);
        out->state = FRAME_MALFORMED;
        return EMT_ENOMEM;
    }
    err = decode_frame(&traced, out);
    if (err == EMT_OK && !trace_finish(traced.trace, out, ex)) {
        memset(ex, 0, sizeof *ex);
        err = EMT_ENOMEM;
    }
    return err;
}

/* ---- shared by both forms ---- */

static const char *const function_names[] = { [READING_INSTANT] = "instantaneous",
                                              [READING_MAXIMUM] = "maximum",
                                              [READING_MINIMUM] = "minimum",
                                              [READING_ERROR] = "error" };

static const char *value_text(const struct reading *r, char buf[DECIMAL_TEXT_MAX])
{
    if (r->kind == READING_NUMBER || r->kind == READING_STATE)
        return decimal_format(r->value, buf);
    return r->text ? r->text : "";
}

static const char *obis_text(const struct reading *r, char buf[OBIS_TEXT_MAX])
{
    if (r->obis_text)
        return r->obis_text;
    return obis_is_none(r->obis) ? NULL : obis_format(r->obis, buf);
}

/* ---- JSON ---- */

static void put_hex(struct writer *w, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        (void)writer_u8(w, (uint8_t)digits[p[i] >> 4]);
        (void)writer_u8(w, (uint8_t)digits[p[i] & 0x0f]);
    }
}

static void put_member(struct writer *w, const char *name, const char *text)
{
    writer_printf(w, ",\"%s\":", name);
    json_put_cstr(w, text);
}

static void put_place(struct writer *w, uint32_t offset, uint32_t len)
{
    writer_printf(w, "\"offset\":%" PRIu32 ",\"length\":%" PRIu32, offset, len);
}

static void put_layer(struct writer *w, const struct explain_layer *l)
{
    writer_text(w, "{\"name\":");
    json_put_cstr(w, l->name);
    writer_text(w, ",");
    put_place(w, l->offset, l->len);
    writer_text(w, ",\"fields\":[");
    for (unsigned i = 0; i < l->nfields; i++) {
        const struct explain_field *f = &l->fields[i];

        writer_text(w, i ? ",{\"name\":" : "{\"name\":");
        json_put_cstr(w, f->name);
        put_member(w, "value", f->value);
        writer_text(w, ",");
        put_place(w, f->offset, f->len);
        writer_text(w, "}");
    }
    writer_text(w, "]}");
}

static void put_reading(struct writer *w, const struct reading *r)
{
    char number[DECIMAL_TEXT_MAX], code[OBIS_TEXT_MAX];
    const char *obis = obis_text(r, code);

    if (obis)
        put_member(w, "obis", obis);
    put_member(w, "quantity", quantity_name(r->quantity));
    put_member(w, "value", value_text(r, number));
    if (r->unit)
        put_member(w, "unit", r->unit);
    if (r->time_text[0])
        put_member(w, "time", r->time_text);
    if (r->storage)
        writer_printf(w, ",\"storage\":%" PRIu64, r->storage);
    if (r->tariff)
        writer_printf(w, ",\"tariff\":%" PRIu32, r->tariff);
    if (r->subunit)
        writer_printf(w, ",\"subunit\":%u", r->subunit);
    put_member(w, "function", function_names[r->function]);
}

static void put_record(struct writer *w, const struct explain_record *r)
{
    writer_text(w, "{");
    put_place(w, r->offset, r->len);
    put_member(w, "in", r->where == EXPLAIN_PLAIN ? "plain" : "frame");
    if (r->dif)
        put_member(w, "dif", r->dif);
    if (r->vif)
        put_member(w, "vif", r->vif);
    put_member(w, "text", r->text);
    if (r->reading)
        put_reading(w, r->reading);
    writer_text(w, "}");
}

void explain_put_json(struct writer *w, const struct explanation *ex)
{
    writer_text(w, "{\"layers\":[");
    for (unsigned i = 0; i < ex->nlayers; i++) {
        if (i)
            writer_text(w, ",");
        put_layer(w, &ex->layers[i]);
    }
    writer_text(w, "],\"plain\":");
    if (ex->plain) {
        writer_text(w, "\"");
        put_hex(w, ex->plain, ex->plain_len);
        writer_text(w, "\"");
    } else {
        writer_text(w, "null");
    }
    writer_text(w, ",\"records\":[");
    for (unsigned i = 0; i < ex->nrecords; i++) {
        if (i)
            writer_text(w, ",");
        put_record(w, &ex->records[i]);
    }
    writer_text(w, "],\"note\":");
    json_put_cstr(w, ex->note);
    writer_text(w, "}");
}

/* ---- lines ---- */

#define LINE_BYTES 16

/* Texts of a meter may hold anything: what a terminal would obey is not printed. */
static void put_clean(struct writer *w, const char *s)
{
    for (; *s; s++)
        (void)writer_u8(w, (uint8_t)*s < ' ' || *s == 0x7f ? '?' : (uint8_t)*s);
}

static void put_plain_lines(struct writer *w, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n; at += LINE_BYTES) {
        writer_printf(w, "  %5zu       ", at);
        for (size_t i = at; i < n && i < at + LINE_BYTES; i++)
            writer_printf(w, " %02x", p[i]);
        writer_text(w, "\n");
    }
}

static void put_record_line(struct writer *w, const struct explain_record *r)
{
    char number[DECIMAL_TEXT_MAX], code[OBIS_TEXT_MAX];
    const char *obis;

    writer_printf(w, "  %5" PRIu32 " %5" PRIu32 "  %-8s %-12s ", r->offset, r->len,
                  r->dif ? r->dif : "", r->vif ? r->vif : "");
    put_clean(w, r->text);
    if (r->reading) {
        writer_text(w, ": ");
        put_clean(w, value_text(r->reading, number));
        if (r->reading->unit)
            writer_printf(w, " %s", r->reading->unit);
        if (r->reading->time_text[0])
            writer_printf(w, " at %s", r->reading->time_text);
        if (r->reading->storage)
            writer_printf(w, ", storage %" PRIu64, r->reading->storage);
        if (r->reading->tariff)
            writer_printf(w, ", tariff %" PRIu32, r->reading->tariff);
        if (r->reading->subunit)
            writer_printf(w, ", subunit %u", r->reading->subunit);
        obis = obis_text(r->reading, code);
        if (obis) {
            writer_text(w, " [");
            put_clean(w, obis);
            writer_text(w, "]");
        }
    }
    writer_text(w, "\n");
}

void explain_put_text(struct writer *w, const struct explanation *ex)
{
    for (unsigned i = 0; i < ex->nlayers; i++) {
        const struct explain_layer *l = &ex->layers[i];

        writer_printf(w, "%s, %" PRIu32 " bytes at %" PRIu32 "\n", l->name, l->len, l->offset);
        for (unsigned k = 0; k < l->nfields; k++) {
            writer_printf(w, "  %5" PRIu32 " %5" PRIu32 "  %-22s ", l->fields[k].offset,
                          l->fields[k].len, l->fields[k].name);
            put_clean(w, l->fields[k].value);
            writer_text(w, "\n");
        }
    }
    if (ex->plain) {
        writer_printf(w, "plain, %zu bytes\n", ex->plain_len);
        put_plain_lines(w, ex->plain, ex->plain_len);
    }
    for (unsigned i = 0; i < ex->nrecords; i++) {
        if (i == 0 || ex->records[i].where != ex->records[i - 1].where)
            writer_printf(w, "records in the %s\n",
                          ex->records[i].where == EXPLAIN_PLAIN ? "plain bytes" : "frame");
        put_record_line(w, &ex->records[i]);
    }
    if (ex->note) {
        writer_text(w, "note: ");
        put_clean(w, ex->note);
        writer_text(w, "\n");
    }
}
