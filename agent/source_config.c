#include "agent/source_config.h"

#include "base/cipher.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/yaml.h"
#include "parsers/dlms_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define SECRET_FILE_MAX 1024
#define DAY_MS INT64_C(86400000)

struct in {
    const struct yaml *y;
    const struct yaml_node *map;
    const char *dir;
    struct emt_diag *diag;
};

static enum emt_err refuse(const struct in *in, const char *key, const char *text)
{
    const struct yaml_node *n = key ? yaml_get(in->y, in->map, key) : NULL;

    return yaml_refuse(in->y, n ? n : in->map, in->diag, text);
}

/* EMT_OK and *out NULL where the key is absent. */
static enum emt_err text_of(const struct in *in, const char *key, size_t size, const char **out)
{
    enum emt_err err;

    *out = NULL;
    err = yaml_text(in->y, in->map, key, out, in->diag);
    if (err == EMT_OK && *out && strlen(*out) >= size)
        return refuse(in, key, "too long");
    return err;
}

static enum emt_err copy_text(const struct in *in, const char *key, char *out, size_t size)
{
    const char *text;
    enum emt_err err = text_of(in, key, size, &text);

    if (err == EMT_OK && text)
        memcpy(out, text, strlen(text) + 1);
    return err;
}

/* Index of the key's value among names (ended by NULL); *out stays where it is absent. */
static enum emt_err choice(const struct in *in, const char *key, const char *const *names,
                           const char *expected, unsigned *out)
{
    const char *text;
    enum emt_err err = text_of(in, key, 64, &text);

    if (err != EMT_OK || !text)
        return err;
    for (unsigned i = 0; names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return EMT_OK;
        }
    }
    return refuse(in, key, expected);
}

static enum emt_err number(const struct in *in, const char *key, int64_t least, int64_t most,
                           unsigned *out)
{
    int64_t v = *out;
    enum emt_err err = yaml_int(in->y, in->map, key, least, most, &v, in->diag);

    *out = (unsigned)v;
    return err;
}

static enum emt_err duration(const struct in *in, const char *key, int64_t least, int64_t most,
                             int64_t *out)
{
    return yaml_duration_ms(in->y, in->map, key, least, most, out, in->diag);
}

static enum emt_err path_of(const struct in *in, const char *text, char out[SOURCE_PATH_MAX])
{
    int n = text[0] == '/' ? snprintf(out, SOURCE_PATH_MAX, "%s", text)
                           : snprintf(out, SOURCE_PATH_MAX, "%s/%s", in->dir, text);

    return n < SOURCE_PATH_MAX ? EMT_OK : emt_fail(in->diag, EMT_EMALFORMED, "path too long");
}

/* ---- secrets ---- */

/* The file's text without the newline at its end; hex: as bytes. */
static enum emt_err read_secret(const struct in *in, const char *key, bool hex,
                                struct source_secret *out)
{
    char path[SOURCE_PATH_MAX], *text = NULL;
    const char *name;
    size_t n = 0;
    enum emt_err err = text_of(in, key, SOURCE_PATH_MAX, &name);

    if (err != EMT_OK || !name)
        return err;
    err = path_of(in, name, path);
    if (err == EMT_OK && file_read(path, SECRET_FILE_MAX, &text, &n, NULL) != EMT_OK)
        err = refuse(in, key, "the file cannot be read");
    if (err != EMT_OK)
        return err;
    size_t len = n;
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (hex)
        err = hex_decode(text, len, out->bytes, sizeof out->bytes, &out->len);
    else if (len <= sizeof out->bytes)
        memcpy(out->bytes, text, out->len = len);
    if (err != EMT_OK || out->len == 0 || (!hex && len > sizeof out->bytes))
        err = refuse(in, key,
                     hex ? "the file does not hold a key in hex" : "the file holds no password");
    cipher_wipe(text, n);
    free(text);
    return err;
}

/* ---- places ---- */

static enum emt_err read_endpoint(const struct in *in, const char *key, enum source_place place,
                                  struct source_config *c, unsigned *found)
{
    const char *text;
    enum emt_err err = text_of(in, key, ENDPOINT_TEXT_MAX, &text);

    if (err != EMT_OK || !text)
        return err;
    if (endpoint_parse(text, &c->endpoint) != EMT_OK)
        return refuse(in, key, "host:port is expected");
    c->place = place;
    (*found)++;
    return EMT_OK;
}

static enum emt_err read_place(const struct in *in, bool listen, bool device,
                               struct source_config *c)
{
    unsigned found = 0;
    enum emt_err err = read_endpoint(in, "connect", SOURCE_CONNECT, c, &found);

    if (err == EMT_OK && listen)
        err = read_endpoint(in, "listen", SOURCE_LISTEN, c, &found);
    if (err == EMT_OK && device) {
        err = copy_text(in, "device", c->device, sizeof c->device);
        if (err == EMT_OK && c->device[0]) {
            c->place = SOURCE_DEVICE;
            found++;
        }
    }
    if (err != EMT_OK || found == 1)
        return err;
    return refuse(in, NULL,
                  listen   ? "one of connect and listen is expected"
                  : device ? "one of connect and device is expected"
                           : "connect is missing");
}

/* ---- kinds ---- */

static enum emt_err read_sml(const struct in *in, struct source_config *c)
{
    struct source_sml *s = &c->sml;
    enum emt_err err = read_place(in, true, false, c);

    *s = (struct source_sml){ 2000, 300000, 8 };
    if (err == EMT_OK)
        err = duration(in, "silence", 50, 60000, &s->silence_ms);
    if (err == EMT_OK)
        err = duration(in, "idle", 1000, DAY_MS, &s->idle_ms);
    if (err == EMT_OK)
        err = number(in, "connections", 1, SOURCE_CONNECTIONS_MAX, &s->connections);
    return err;
}

static enum emt_err read_speed(const struct in *in, struct source_config *c)
{
    static const unsigned speeds[] = {
        300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200
    };
    struct source_iec *iec = &c->iec;
    unsigned v = iec->mode == 'D'                                ? 2400
                 : iec->mode == 'A' || c->place != SOURCE_DEVICE ? 300
                                                                 : 9600;
    enum emt_err err = number(in, "speed", 300, 115200, &v);

    if (err != EMT_OK)
        return err;
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        if (speeds[i] == v && (v <= 19200 || iec->mode == 'D') && (v == 300 || iec->mode != 'A')) {
            iec->speed = v;
            return EMT_OK;
        }
    }
    return refuse(in, "speed", "no speed of this mode");
}

/* "R5 1.8.0()": reading commands only; a periodic reading changes nothing in a meter. */
static enum emt_err read_command(const struct in *in, const struct yaml_node *n,
                                 struct source_iec *iec)
{
    const char *text = yaml_scalar(n);

    if (!text || text[0] != 'R' || !text[1] || !strchr("1256", text[1]) || text[2] != ' ' ||
        strlen(text + 3) >= SOURCE_COMMAND_MAX || !strchr(text + 3, '(') ||
        text[strlen(text) - 1] != ')')
        return yaml_refuse(in->y, n, in->diag, "a reading command is expected, as \"R5 1.8.0()\"");
    for (const char *p = text; *p; p++) {
        if (*p < ' ' || *p > '~')
            return yaml_refuse(in->y, n, in->diag, "a character that no command has");
    }
    memcpy(iec->kind[iec->ncommands], text, 2);
    memcpy(iec->text[iec->ncommands], text + 3, strlen(text + 3) + 1);
    iec->ncommands++;
    return EMT_OK;
}

static enum emt_err read_commands(const struct in *in, struct source_iec *iec)
{
    const struct yaml_node *list = yaml_get(in->y, in->map, "commands");
    enum emt_err err = read_secret(in, "password_file", false, &iec->password);
    unsigned level = 0;
    static const char *const levels[] = { "P1", "P2", NULL };

    if (err == EMT_OK)
        err = choice(in, "password_level", levels, "P1 or P2 is expected", &level);
    if (err != EMT_OK)
        return err;
    iec->password_level = level ? '2' : '1';
    if (yaml_count(list) > SOURCE_COMMANDS_MAX || (list && yaml_count(list) == 0))
        return refuse(in, "commands", "a list of 1 to 32 commands is expected");
    for (size_t i = 0; err == EMT_OK && i < yaml_count(list); i++)
        err = read_command(in, yaml_at(list, i), iec);
    iec->program = iec->ncommands > 0;
    if (err == EMT_OK && iec->password.len && !iec->program)
        return refuse(in, "password_file", "a password without commands is never used");
    if (err == EMT_OK && iec->program && iec->mode == 'D')
        return refuse(in, "commands", "a meter that is listened to takes no commands");
    return err;
}

static enum emt_err read_iec(const struct in *in, struct source_config *c)
{
    static const char *const modes[] = { "A", "C", "D", NULL };
    static const char *const lines[] = { "7E1", "8N1", NULL };
    struct source_iec *iec = &c->iec;
    unsigned mode = 1, line = 0;
    enum emt_err err = read_place(in, false, true, c);

    if (err == EMT_OK)
        err = choice(in, "mode", modes, "A, C or D is expected", &mode);
    if (err == EMT_OK)
        err = choice(in, "line", lines, "7E1 or 8N1 is expected", &line);
    if (err != EMT_OK)
        return err;
    iec->mode = modes[mode][0];
    iec->eight = line == 1;
    c->timeout_ms = 300000;
    err = read_speed(in, c);
    if (err == EMT_OK)
        err = yaml_bool(in->y, in->map, "echo", &iec->echo, in->diag);
    if (err == EMT_OK)
        err = copy_text(in, "address", iec->address, sizeof iec->address);
    if (err == EMT_OK && strpbrk(iec->address, "!/?\r\n"))
        err = refuse(in, "address", "a character that no address has");
    if (err == EMT_OK)
        err = duration(in, "interval", 100, 31 * DAY_MS, &c->interval_ms);
    if (err == EMT_OK)
        err = duration(in, "timeout", 100, 3600000, &c->timeout_ms);
    return err == EMT_OK ? read_commands(in, iec) : err;
}

static enum emt_err parse_code(const struct in *in, const struct yaml_node *n, const char *text,
                               struct obis *out)
{
    if (text && obis_parse(text, out) == EMT_OK)
        return EMT_OK;
    return yaml_refuse(in->y, n, in->diag, "an OBIS code is expected, as \"1-0:1.8.0*255\"");
}

/* "3 1-0:1.8.0*255": class and code. */
static enum emt_err read_object(const struct in *in, const struct yaml_node *n,
                                struct source_dlms *d)
{
    const char *text = yaml_scalar(n);
    char *end = NULL;
    unsigned long class_id = text && text[0] >= '1' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;

    if ((class_id != 1 && class_id != 3 && class_id != 4 && class_id != 5) || *end != ' ')
        return yaml_refuse(in->y, n, in->diag,
                           "class (1, 3, 4 or 5) and code are expected, as \"3 1-0:1.8.0*255\"");
    d->objects[d->nobjects].class_id = (uint16_t)class_id;
    enum emt_err err = parse_code(in, n, end + 1, &d->objects[d->nobjects].obis);
    d->nobjects += err == EMT_OK;
    return err;
}

static enum emt_err read_objects(const struct in *in, struct source_dlms *d)
{
    const struct yaml_node *objects = yaml_get(in->y, in->map, "objects");
    const struct yaml_node *profiles = yaml_get(in->y, in->map, "profiles");
    int64_t range = DAY_MS;
    enum emt_err err = duration(in, "range", 60000, 366 * DAY_MS, &range);

    if (err != EMT_OK)
        return err;
    if (yaml_count(objects) > SOURCE_OBJECTS_MAX)
        return refuse(in, "objects", "more than 64 objects");
    if (yaml_count(profiles) > SOURCE_PROFILES_MAX)
        return refuse(in, "profiles", "more than 4 profiles");
    if (yaml_count(objects) + yaml_count(profiles) == 0)
        return refuse(in, NULL, "objects or profiles are missing");
    for (size_t i = 0; err == EMT_OK && i < yaml_count(objects); i++)
        err = read_object(in, yaml_at(objects, i), d);
    for (size_t i = 0; err == EMT_OK && i < yaml_count(profiles); i++) {
        const struct yaml_node *n = yaml_at(profiles, i);

        d->profiles[i].range_ms = range;
        err = parse_code(in, n, yaml_scalar(n), &d->profiles[i].obis);
        d->nprofiles++;
    }
    return err;
}

static enum emt_err read_keys(const struct in *in, const char *name, struct source_dlms *d)
{
    const char *title, *path;
    char own[SOURCE_NAME_MAX + 16];
    size_t n = 0;
    enum emt_err err = read_secret(in, "password_file", false, &d->password);

    if (err == EMT_OK)
        err = read_secret(in, "key_file", true, &d->key);
    if (err == EMT_OK)
        err = read_secret(in, "authentication_key_file", true, &d->authentication_key);
    if (err == EMT_OK)
        err = text_of(in, "system_title", 40, &title);
    if (err == EMT_OK && title) {
        if (hex_decode(title, strlen(title), d->system_title, 8, &n) != EMT_OK || n != 8)
            return refuse(in, "system_title", "8 bytes in hex are expected");
        d->has_title = true;
    }
    if (err == EMT_OK)
        err = text_of(in, "counter_file", SOURCE_PATH_MAX, &path);
    if (err != EMT_OK)
        return err;
    snprintf(own, sizeof own, "%s.counter", name);
    err = path_of(in, path ? path : own, d->counter_path);
    bool keyed = d->ciphered || d->mechanism == DLMS_MECHANISM_GMAC;
    if (err == EMT_OK && keyed &&
        (d->key.len != 16 || d->authentication_key.len != 16 || !d->has_title))
        return refuse(
            in, NULL,
            "key_file, authentication_key_file (16 bytes each) and system_title are needed");
    if (err == EMT_OK && d->mechanism == DLMS_MECHANISM_LOW && d->password.len == 0)
        return refuse(in, NULL, "password_file is needed");
    return err;
}

static enum emt_err read_dlms(const struct in *in, struct source_config *c)
{
    static const char *const framings[] = { "wrapper", "hdlc", NULL };
    static const char *const mechanisms[] = { "none", "low", "gmac", NULL };
    static const uint8_t numbers[] = { DLMS_MECHANISM_NONE, DLMS_MECHANISM_LOW,
                                       DLMS_MECHANISM_GMAC };
    struct source_dlms *d = &c->dlms;
    unsigned framing = 0, mechanism = 0, client = 16, server = 1, physical = 0;
    const char *identity;
    enum emt_err err = read_place(in, false, false, c);

    if (err == EMT_OK)
        err = choice(in, "framing", framings, "wrapper or hdlc is expected", &framing);
    if (err == EMT_OK)
        err = choice(in, "authentication", mechanisms, "none, low or gmac is expected", &mechanism);
    d->hdlc = framing == 1;
    d->mechanism = numbers[mechanism];
    d->ciphered = d->mechanism == DLMS_MECHANISM_GMAC;
    if (err == EMT_OK)
        err = yaml_bool(in->y, in->map, "ciphered", &d->ciphered, in->diag);
    if (err == EMT_OK)
        err = number(in, "client", 1, d->hdlc ? 127 : 65535, &client);
    if (err == EMT_OK)
        err = number(in, "server", 1, d->hdlc ? 16383 : 65535, &server);
    if (err == EMT_OK && d->hdlc)
        err = number(in, "device_address", 0, 16383, &physical);
    d->client = (uint16_t)client;
    d->server = (uint16_t)server;
    d->physical = (uint16_t)physical;
    c->timeout_ms = 10000;
    if (err == EMT_OK)
        err = duration(in, "interval", 100, 31 * DAY_MS, &c->interval_ms);
    if (err == EMT_OK)
        err = duration(in, "timeout", 100, 600000, &c->timeout_ms);
    if (err == EMT_OK)
        err = text_of(in, "identity", 64, &identity);
    if (err == EMT_OK && identity)
        err = parse_code(in, yaml_get(in->y, in->map, "identity"), identity, &d->identity);
    if (err == EMT_OK)
        err = read_keys(in, c->name, d);
    return err == EMT_OK ? read_objects(in, d) : err;
}

static enum emt_err read_source(const struct in *in, size_t i, struct source_config *c)
{
    static const char *const types[] = { "sml-tcp", "iec62056-21", "dlms-tcp", NULL };
    unsigned type = 3;
    enum emt_err err =
        choice(in, "type", types, "sml-tcp, iec62056-21 or dlms-tcp is expected", &type);

    if (err == EMT_OK && type == 3)
        return refuse(in, NULL, "type is missing");
    snprintf(c->name, sizeof c->name, "source-%zu", i + 1);
    if (err == EMT_OK)
        err = copy_text(in, "name", c->name, sizeof c->name);
    if (err != EMT_OK)
        return err;
    if (!c->name[0] ||
        strspn(c->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "-_") != strlen(c->name))
        return refuse(in, "name", "letters, digits, - and _ are expected");
    c->type = (enum source_type)type;
    c->interval_ms = 900000;
    c->timeout_ms = 10000;
    switch (c->type) {
    case SOURCE_SML_TCP:
        return read_sml(in, c);
    case SOURCE_IEC62056_21:
        return read_iec(in, c);
    case SOURCE_DLMS_TCP:
        return read_dlms(in, c);
    }
    return EMT_EINTERNAL;
}

/* Names stand in logs and name the counter's file: once each. */
static bool name_taken(const struct source_list *l, const struct source_config *c)
{
    for (size_t i = 0; &l->list[i] < c; i++) {
        if (strcmp(l->list[i].name, c->name) == 0)
            return true;
    }
    return false;
}

enum emt_err source_list_read(const struct yaml *y, const char *dir, struct source_list *out,
                              struct emt_diag *diag)
{
    struct in in = { .y = y, .dir = dir, .diag = diag };
    const struct yaml_node *seq = yaml_get(y, yaml_root(y), "sources");
    enum emt_err err = EMT_OK;

    *out = (struct source_list){ 0 };
    if (!seq)
        return EMT_OK;
    if (yaml_count(seq) == 0 || yaml_count(seq) > SOURCES_MAX)
        return yaml_refuse(y, seq, diag, "a list of 1 to 32 sources is expected");
    out->list = calloc(yaml_count(seq), sizeof *out->list);
    if (!out->list)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    out->n = yaml_count(seq);
    for (size_t i = 0; err == EMT_OK && i < out->n; i++) {
        in.map = yaml_at(seq, i);
        err = read_source(&in, i, &out->list[i]);
        if (err == EMT_OK && name_taken(out, &out->list[i]))
            err = refuse(&in, "name", "two sources of this name");
    }
    return err;
}

enum emt_err source_list_load(const char *dir, struct source_list *out, struct emt_diag *diag)
{
    char path[SOURCE_PATH_MAX];
    struct yaml *y = NULL;
    enum emt_err err = file_join(path, sizeof path, dir, "agent.yaml");

    *out = (struct source_list){ 0 };
    if (err == EMT_OK)
        err = yaml_load_file(path, &y, diag);
    if (err == EMT_OK)
        err = source_list_read(y, dir, out, diag);
    yaml_free(y);
    return err;
}

void source_list_release(struct source_list *l)
{
    if (l->list)
        cipher_wipe(l->list, l->n * sizeof *l->list);
    free(l->list);
    *l = (struct source_list){ 0 };
}
