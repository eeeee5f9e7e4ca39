/* File: a line "allow-list VERSION list|off", then one device id per line. */
#include "agent/allow_list.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/writer.h"
#include "model/device_id.h"
#include "model/protocol.h"
#include "parsers/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define ARENA_LIMIT ((size_t)256 << 10)
#define HEAD "allow-list "
#define LINE_LEN (DEVICE_ID_TEXT_MAX + 1)
#define FILE_LIMIT (64 + ALLOW_LIST_MAX * LINE_LEN)
#define SEPARATORS " \n"

struct ident {
    char text[DEVICE_ID_TEXT_MAX];
};

struct list {
    uint64_t version;
    bool on;
    size_t n;
    struct ident *items; /* sorted */
};

struct allow_list {
    char *path;
    struct list list;
    struct arena *arena;
    uint64_t filtered;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct ident *)a)->text, ((const struct ident *)b)->text);
}

/* Adds the ids of one text. EMT_EMALFORMED, EMT_ELIMIT. */
static enum emt_err add_ids(struct list *l, const char *text)
{
    while (*(text += strspn(text, SEPARATORS))) {
        size_t n = strcspn(text, SEPARATORS);
        struct device_id id;
        char one[DEVICE_ID_TEXT_MAX];

        if (n >= sizeof one)
            return EMT_EMALFORMED;
        memcpy(one, text, n);
        one[n] = 0;
        if (device_id_parse(one, &id) != EMT_OK)
            return EMT_EMALFORMED;
        if (l->n == ALLOW_LIST_MAX)
            return EMT_ELIMIT;
        device_id_format(&id, l->items[l->n++].text);
        text += n;
    }
    return EMT_OK;
}

static bool list_begin(struct list *l)
{
    *l = (struct list){ .items = calloc(ALLOW_LIST_MAX, sizeof *l->items) };
    return l->items != NULL;
}

static void list_end(struct list *l)
{
    struct ident *fit;

    qsort(l->items, l->n, sizeof *l->items, compare);
    fit = realloc(l->items, (l->n ? l->n : 1) * sizeof *l->items);
    if (fit)
        l->items = fit;
}

static bool parse_version(const char *text, uint64_t *out, const char **end)
{
    char *stop = NULL;

    if (text[0] < '0' || text[0] > '9' || strnlen(text, 20) == 20)
        return false;
    *out = strtoull(text, &stop, 10);
    *end = stop;
    return true;
}

static bool parse_mode(const char *text, size_t n, bool *on)
{
    *on = n == 4 && memcmp(text, "list", 4) == 0;
    return *on || (n == 3 && memcmp(text, "off", 3) == 0);
}

static enum emt_err parse_file(struct list *l, const char *text)
{
    const char *at = text + sizeof HEAD - 1;
    char number[20] = "";
    const char *end;
    size_t n;

    if (strncmp(text, HEAD, sizeof HEAD - 1) != 0)
        return EMT_EMALFORMED;
    n = strcspn(at, " ");
    if (n >= sizeof number)
        return EMT_EMALFORMED;
    memcpy(number, at, n);
    if (!parse_version(number, &l->version, &end) || *end || at[n] != ' ')
        return EMT_EMALFORMED;
    at += n + 1;
    n = strcspn(at, "\n");
    if (!parse_mode(at, n, &l->on) || at[n] != '\n')
        return EMT_EMALFORMED;
    return add_ids(l, at + n);
}

static enum emt_err load(struct allow_list *a, struct emt_diag *diag)
{
    char *text = NULL;
    size_t len = 0;
    enum emt_err err = file_read(a->path, FILE_LIMIT, &text, &len, diag);

    if (err == EMT_ENOTFOUND)
        return EMT_OK;
    if (err != EMT_OK)
        return err;
    err = list_begin(&a->list) ? parse_file(&a->list, text) : EMT_ENOMEM;
    free(text);
    if (err != EMT_OK)
        return emt_fail(diag, err, "%s: no list of meters", a->path);
    list_end(&a->list);
    return EMT_OK;
}

enum emt_err allow_list_open(const char *path, struct allow_list **out, struct emt_diag *diag)
{
    struct allow_list *a = calloc(1, sizeof *a);
    enum emt_err err;

    if (!a)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    a->path = strdup(path);
    a->arena = arena_new(ARENA_LIMIT);
    err = a->path && a->arena ? load(a, diag) : emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (err != EMT_OK) {
        allow_list_free(a);
        return err;
    }
    *out = a;
    return EMT_OK;
}

void allow_list_free(struct allow_list *a)
{
    if (!a)
        return;
    free(a->list.items);
    free(a->path);
    arena_free(a->arena);
    free(a);
}

uint64_t allow_list_filtered(const struct allow_list *a)
{
    return a->filtered;
}

static bool has(const struct list *l, const struct device_id *id)
{
    struct ident key;

    device_id_format(id, key.text);
    return l->n > 0 && bsearch(&key, l->items, l->n, sizeof *l->items, compare) != NULL;
}

/* Radio converters of EN 13757-7 (device types 36, 37), and those before them. */
static bool is_adapter(const struct device_id *id)
{
    return (id->type >= 0x31 && id->type <= 0x33) || id->type == 0x36 || id->type == 0x37;
}

bool allow_list_passes(struct allow_list *a, const struct spool_frame *f)
{
    struct decode_request req = { .protocol = (enum protocol)f->protocol,
                                  .format = (enum frame_format)f->format,
                                  .frame = f->data,
                                  .len = f->len,
                                  .arena = a->arena };
    struct decode_result r;
    bool passes;

    if (!a->list.on || f->protocol != PROTOCOL_WMBUS)
        return true;
    arena_reset(a->arena);
    memset(&r, 0, sizeof r);
    if (decode_peek(&req, &r) != EMT_OK)
        return true; /* our limit, not the meter's fault */
    passes = r.has_device && (has(&a->list, &r.device) || is_adapter(&r.device) ||
                              (r.has_adapter && has(&a->list, &r.adapter)));
    if (!passes)
        a->filtered++;
    return passes;
}

/* --- the order --- */

static enum emt_err parse_command(const struct uplink_command *cmd, struct list *l)
{
    bool has_mode = false, has_version = false;
    enum emt_err err = EMT_OK;
    const char *end;

    for (size_t i = 0; i < cmd->narguments && err == EMT_OK; i++) {
        const struct uplink_argument *arg = &cmd->arguments[i];

        if (strcmp(arg->name, "mode") == 0)
            has_mode = parse_mode(arg->value, strlen(arg->value), &l->on);
        else if (strcmp(arg->name, "version") == 0)
            has_version = parse_version(arg->value, &l->version, &end) && !*end;
        else
            err = add_ids(l, arg->value);
    }
    return err == EMT_OK && (!has_mode || !has_version) ? EMT_EMALFORMED : err;
}

static enum emt_err save(const struct allow_list *a, const struct list *l)
{
    struct emt_diag diag = { 0 };
    struct writer w;
    enum emt_err err;

    writer_init_heap(&w, FILE_LIMIT);
    writer_printf(&w, HEAD "%llu %s\n", (unsigned long long)l->version, l->on ? "list" : "off");
    for (size_t i = 0; i < l->n; i++)
        writer_printf(&w, "%s\n", l->items[i].text);
    err = w.failed ? EMT_ENOMEM : file_write(a->path, w.data, w.len, 0600, &diag);
    writer_release(&w);
    return err;
}

static void refuse(struct command_outcome *out, const char *why)
{
    out->outcome = 1;
    (void)snprintf(out->text, sizeof out->text, "%s", why);
}

void allow_list_command(struct allow_list *a, const struct uplink_command *cmd,
                        struct command_outcome *out)
{
    struct list l;
    enum emt_err err = list_begin(&l) ? parse_command(cmd, &l) : EMT_ENOMEM;

    if (err == EMT_OK && l.version <= a->list.version) {
        refuse(out, "a newer list is in force");
    } else if (err != EMT_OK) {
        refuse(out, err == EMT_ELIMIT ? "more meters than a list may have"
                                      : "no list: mode, version or a meter is not readable");
    } else {
        list_end(&l);
        if (save(a, &l) != EMT_OK) {
            refuse(out, "the list cannot be kept");
        } else {
            free(a->list.items);
            a->list = l;
            out->outcome = 0;
            (void)snprintf(out->text, sizeof out->text, l.on ? "%zu meters pass" : "all pass", l.n);
            return;
        }
    }
    free(l.items);
}
