#include "decode_line.h"

#include "base/cipher.h"
#include "base/hex.h"

#include <stdio.h>
#include <string.h>

/* A member that is there and not null. */
static json_t *member(const struct decode_line *line, const char *name)
{
    json_t *v = json_object_get(line->json, name);

    return v && !json_is_null(v) ? v : NULL;
}

static enum emt_err odd(struct emt_diag *diag, const char *field, const char *what)
{
    (void)snprintf(diag->key, sizeof diag->key, "%s", field);
    return emt_fail(diag, EMT_EMALFORMED, "%s", what);
}

static enum emt_err read_protocol(struct decode_line *line, struct emt_diag *diag)
{
    json_t *v = member(line, "protocol");

    if (!json_is_string(v))
        return odd(diag, "protocol", v ? "must be a string" : "is missing");
    if (protocol_parse(json_string_value(v), &line->req.protocol) != EMT_OK) {
        (void)snprintf(diag->key, sizeof diag->key, "protocol");
        return emt_fail(diag, EMT_EUNSUPPORTED, "\"%.40s\" is not known", json_string_value(v));
    }
    return EMT_OK;
}

static enum emt_err read_hex(struct decode_line *line, json_t *v, struct emt_diag *diag)
{
    enum emt_err err;

    if (!json_is_string(v))
        return odd(diag, "frame", "must be a string");
    err = hex_decode(json_string_value(v), json_string_length(v), line->frame, DECODE_FRAME_MAX,
                     &line->req.len);
    if (err == EMT_ELIMIT)
        return odd(diag, "frame", "is longer than 16384 bytes");
    return err == EMT_OK ? EMT_OK : odd(diag, "frame", "is not hex");
}

/* A line of seven or eight bits is given as text of one character per byte (U+0000 to U+00FF). */
static bool bytes_of_text(const char *text, size_t n, uint8_t *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)text[i];

        if (c >= 0x80) { /* JSON texts are valid UTF-8: c2 and c3 have one byte behind them */
            if (c > 0xc3)
                return false;
            c = (uint8_t)((unsigned)c << 6 | ((unsigned char)text[++i] & 0x3fu));
        }
        out[(*len)++] = c;
    }
    return true;
}

static enum emt_err read_text(struct decode_line *line, json_t *v, struct emt_diag *diag)
{
    if (!json_is_string(v))
        return odd(diag, "text", "must be a string");
    if (json_string_length(v) > DECODE_FRAME_MAX)
        return odd(diag, "text", "is longer than 16384 bytes");
    if (!bytes_of_text(json_string_value(v), json_string_length(v), line->frame, &line->req.len))
        return odd(diag, "text", "has characters that are no bytes");
    return EMT_OK;
}

static enum emt_err read_frame(struct decode_line *line, struct emt_diag *diag)
{
    json_t *frame = member(line, "frame"), *text = member(line, "text");

    line->req.frame = line->frame;
    if (frame && text)
        return odd(diag, "text", "stands beside frame");
    if (frame)
        return read_hex(line, frame, diag);
    if (text)
        return read_text(line, text, diag);
    return odd(diag, "frame", "is missing");
}

static enum emt_err read_format(struct decode_line *line, struct emt_diag *diag)
{
    json_t *v = member(line, "format");

    if (!v)
        return EMT_OK;
    if (!json_is_string(v))
        return odd(diag, "format", "must be a string");
    if (frame_format_parse(json_string_value(v), &line->req.format) != EMT_OK)
        return odd(diag, "format", "is none that is known");
    return EMT_OK;
}

static enum emt_err read_key(struct decode_line *line, struct emt_diag *diag)
{
    json_t *v = member(line, "key");
    size_t len = 0;

    if (!v)
        return EMT_OK;
    if (!json_is_string(v))
        return odd(diag, "key", "must be a string");
    if (hex_decode(json_string_value(v), json_string_length(v), line->key.bytes,
                   sizeof line->key.bytes, &len) != EMT_OK ||
        (len != 8 && len != 16 && len != 32))
        return odd(diag, "key", "is not 16, 32 or 64 hex digits");
    line->key.len = (uint8_t)len;
    return EMT_OK;
}

/* A hex member of `keys`; absent leaves *len at 0. */
static enum emt_err read_part(json_t *keys, const char *name, uint8_t *out, size_t cap,
                              uint8_t *len, struct emt_diag *diag)
{
    json_t *v = json_object_get(keys, name);
    size_t n = 0;

    if (!v || json_is_null(v))
        return EMT_OK;
    if (!json_is_string(v))
        return odd(diag, name, "must be a string");
    if (hex_decode(json_string_value(v), json_string_length(v), out, cap, &n) != EMT_OK ||
        (n != 8 && n != 16 && n != 32))
        return odd(diag, name, "is not 16, 32 or 64 hex digits");
    *len = (uint8_t)n;
    return EMT_OK;
}

/* dlms: {ek, ak, system_title}; other protocols' names are passed over. */
static enum emt_err read_keys(struct decode_line *line, struct emt_diag *diag)
{
    json_t *v = member(line, "keys");
    struct device_key *key = &line->key;
    enum emt_err err;

    if (!v || line->req.protocol != PROTOCOL_DLMS)
        return EMT_OK;
    if (!json_is_object(v))
        return odd(diag, "keys", "must be an object");
    err = read_part(v, "ek", key->bytes, sizeof key->bytes, &key->len, diag);
    if (err == EMT_OK)
        err = read_part(v, "ak", key->ak, sizeof key->ak, &key->ak_len, diag);
    if (err == EMT_OK)
        err = read_part(v, "system_title", key->system_title, sizeof key->system_title,
                        &key->system_title_len, diag);
    return err;
}

static enum emt_err read_switches(struct decode_line *line, struct emt_diag *diag)
{
    json_t *v = member(line, "accept_plaintext");

    if (v && !json_is_boolean(v))
        return odd(diag, "accept_plaintext", "must be true or false");
    line->req.accept_plaintext = json_is_true(v);
    return EMT_OK;
}

/* Keys by name (dlms, lorawan) and what else a protocol wants to know. */
static enum emt_err read_objects(struct decode_line *line, struct emt_diag *diag)
{
    static const char *const names[] = { "keys", "context" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *v = member(line, names[i]);

        if (v && !json_is_object(v))
            return odd(diag, names[i], "must be an object");
    }
    return EMT_OK;
}

enum emt_err decode_line_parse(const char *text, size_t len, struct decode_line *out,
                               struct emt_diag *diag)
{
    static enum emt_err (*const steps[])(struct decode_line *, struct emt_diag *) = {
        read_protocol, read_frame, read_format, read_key, read_objects, read_keys, read_switches,
    };
    uint8_t *frame = out->frame;
    json_error_t error;

    memset(out, 0, sizeof *out);
    out->frame = frame;
    out->json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!out->json)
        return emt_fail(diag, EMT_EMALFORMED, "no JSON: %.120s", error.text);
    if (!json_is_object(out->json)) {
        decode_line_release(out);
        return emt_fail(diag, EMT_EMALFORMED, "no JSON object");
    }
    out->id = json_object_get(out->json, "id");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum emt_err err = steps[i](out, diag);

        if (err != EMT_OK)
            return err;
    }
    return EMT_OK;
}

void decode_line_release(struct decode_line *line)
{
    json_decref(line->json);
    line->json = NULL;
    line->id = NULL;
    cipher_wipe(&line->key, sizeof line->key);
}
