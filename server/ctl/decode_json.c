#include "decode_json.h"

#include "base/json_text.h"
#include "parsers/explain.h"

#include <inttypes.h>

static void put_hex(struct writer *w, const uint8_t *p, size_t n)
{
    writer_text(w, "\"");
    for (size_t i = 0; i < n; i++)
        writer_printf(w, "%02x", p[i]);
    writer_text(w, "\"");
}

static void put_member(struct writer *w, const char *name, const char *text)
{
    writer_printf(w, ",\"%s\":", name);
    json_put_cstr(w, text);
}

static void put_device(struct writer *w, const char *name, const struct device_id *id)
{
    char text[DEVICE_ID_TEXT_MAX];

    writer_printf(w, ",\"%s\":{\"id\":", name);
    json_put_cstr(w, device_id_format(id, text));
    put_member(w, "manufacturer", id->manufacturer);
    put_member(w, "number", id->number);
    if (id->has_version)
        writer_printf(w, ",\"version\":%u", id->version);
    writer_printf(w, ",\"type\":%u", id->type);
    put_member(w, "medium", medium_name(id->type));
    writer_text(w, "}");
}

static void put_link(struct writer *w, const struct decode_result *r)
{
    if (r->nlink == 0)
        return;
    writer_text(w, ",\"link\":{");
    for (unsigned i = 0; i < r->nlink; i++) {
        writer_printf(w, "%s\"%s\":", i ? "," : "", r->link[i].name);
        if (r->link[i].is_number)
            writer_text(w, r->link[i].text);
        else
            json_put_cstr(w, r->link[i].text);
    }
    writer_text(w, "}");
}

static void put_layers(struct writer *w, const struct decode_result *r)
{
    writer_text(w, ",\"layers\":[");
    for (unsigned i = 0; i < r->nlayers; i++) {
        const struct decode_layer *l = &r->layers[i];

        writer_printf(w, "%s{\"name\":\"%s\",", i ? "," : "", l->name);
        if (l->ci)
            writer_printf(w, "\"ci\":\"%02x\",", l->ci);
        writer_printf(w, "\"offset\":%" PRIu32 ",\"len\":%" PRIu32 "}", l->offset, l->len);
    }
    writer_text(w, "]");
}

static void put_obis(struct writer *w, const struct reading *r)
{
    char text[OBIS_TEXT_MAX];

    writer_text(w, "{\"obis\":");
    if (r->obis_text)
        json_put_cstr(w, r->obis_text);
    else
        json_put_cstr(w, obis_is_none(r->obis) ? NULL : obis_format(r->obis, text));
}

static void put_value(struct writer *w, const struct reading *r)
{
    static const char *const kinds[] = { [READING_NUMBER] = "number",
                                         [READING_TEXT] = "text",
                                         [READING_STATE] = "state",
                                         [READING_RAW] = "raw" };
    char text[DECIMAL_TEXT_MAX];

    put_member(w, "quantity", quantity_name(r->quantity));
    put_member(w, "kind", kinds[r->kind]);
    if (r->kind == READING_NUMBER || r->kind == READING_STATE)
        put_member(w, "value", decimal_format(r->value, text));
    else
        put_member(w, "value", r->text);
    if (r->unit)
        put_member(w, "unit", r->unit);
}

static void put_reading(struct writer *w, const struct reading *r)
{
    static const char *const functions[] = { [READING_INSTANT] = "instantaneous",
                                             [READING_MAXIMUM] = "maximum",
                                             [READING_MINIMUM] = "minimum",
                                             [READING_ERROR] = "error" };

    put_obis(w, r);
    put_value(w, r);
    if (r->time_text[0])
        put_member(w, "time", r->time_text);
    put_member(w, "function", functions[r->function]);
    if (r->storage)
        writer_printf(w, ",\"storage\":%" PRIu64, r->storage);
    if (r->tariff)
        writer_printf(w, ",\"tariff\":%" PRIu32, r->tariff);
    if (r->subunit)
        writer_printf(w, ",\"subunit\":%u", r->subunit);
    if (r->qualifier[0])
        put_member(w, "qualifier", r->qualifier);
    if (r->nth)
        writer_printf(w, ",\"nth\":%u", r->nth);
    if (r->quality != QUALITY_MEASURED)
        put_member(w, "quality", quality_name(r->quality));
    if (r->calculated)
        writer_text(w, ",\"calculated\":true");
    writer_text(w, "}");
}

static void put_readings(struct writer *w, const struct decode_result *r)
{
    writer_text(w, ",\"readings\":[");
    for (unsigned i = 0; i < r->nreadings; i++) {
        if (i)
            writer_text(w, ",");
        put_reading(w, &r->readings[i]);
    }
    writer_text(w, "]");
}

static void put_frames(struct writer *w, const struct decode_result *r)
{
    writer_text(w, ",\"frames\":[");
    for (unsigned i = 0; i < r->nframes; i++) {
        if (i)
            writer_text(w, ",");
        put_hex(w, r->frames[i], sizeof r->frames[i]);
    }
    writer_text(w, "]");
}

void decode_json_put(struct writer *w, const char *id, const struct decode_result *r,
                     const struct explanation *ex)
{
    writer_printf(w, "{\"id\":");
    writer_text(w, id);
    put_member(w, "state", frame_state_name(r->state));
    if (r->has_device)
        put_device(w, "device", &r->device);
    else
        writer_text(w, ",\"device\":null");
    if (r->has_adapter)
        put_device(w, "adapter", &r->adapter);
    put_link(w, r);
    put_layers(w, r);
    if (r->encrypted)
        writer_text(w, ",\"encrypted\":true");
    if (r->has_counter)
        writer_printf(w, ",\"counter\":%" PRIu64, r->counter);
    if (r->plain) {
        writer_text(w, ",\"plain\":");
        put_hex(w, r->plain, r->plain_len);
    }
    put_readings(w, r);
    if (r->more_follows)
        writer_text(w, ",\"more_follows\":true");
    if (r->has_application) {
        writer_printf(w, ",\"application\":{\"code\":%" PRIu32, r->application_code);
        put_member(w, "text", r->application_text);
        writer_text(w, "}");
    }
    if (r->frames)
        put_frames(w, r);
    if (r->reason[0])
        put_member(w, "diag", r->reason);
    if (ex) {
        writer_text(w, ",\"explain\":");
        explain_put_json(w, ex);
    }
    writer_text(w, "}\n");
}

void decode_json_put_refusal(struct writer *w, const char *id, enum frame_state state,
                             const char *diag)
{
    writer_text(w, "{\"id\":");
    writer_text(w, id);
    put_member(w, "state", frame_state_name(state));
    writer_text(w, ",\"device\":null,\"layers\":[],\"readings\":[]");
    if (diag && diag[0])
        put_member(w, "diag", diag);
    writer_text(w, "}\n");
}

void decode_json_put_no_json(struct writer *w)
{
    writer_text(w, "{\"id\":null,\"state\":\"malformed\"}\n");
}
