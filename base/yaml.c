/* libyaml's events become a tree in an arena. Members and elements are lists in file order; a
 * member knows its key, its parent and whether somebody asked for it. */
#include "base/yaml.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FILE_MAX ((size_t)1024 * 1024)
#define DEPTH_MAX 16
#define NODES_MAX 20000
#define ARENA_MAX ((size_t)16 * 1024 * 1024)

enum node_kind { NODE_SCALAR, NODE_MAP, NODE_SEQ };

struct yaml_node {
    enum node_kind kind;
    unsigned line;
    bool plain;       /* scalar without quotes: may be a number, a truth value or null */
    bool known;       /* somebody asked for it */
    const char *text; /* scalar */
    const char *key;  /* member of a mapping; NULL for elements and the root */
    size_t index;     /* position among its siblings */
    const struct yaml_node *parent;
    struct yaml_node *first;
    struct yaml_node *last;
    struct yaml_node *next;
    size_t count;
};

struct yaml {
    struct arena *arena;
    const char *name;
    struct yaml_node *root;
};

/* What is built from the events of one file. */
struct builder {
    struct yaml *y;
    yaml_parser_t parser;
    struct emt_diag *diag;
    size_t nodes;
    struct yaml_node *at; /* the open mapping or sequence */
    const char *key;      /* a key whose value comes next */
    unsigned key_line;
    unsigned depth;
    unsigned documents;
};

static void set_place(struct emt_diag *diag, const struct yaml *y, unsigned line)
{
    if (!diag)
        return;
    (void)snprintf(diag->file, sizeof diag->file, "%s", y->name);
    diag->line = line;
    diag->key[0] = 0;
}

/* "listen.field[2].port" */
static void put_path(struct writer *w, const struct yaml_node *n)
{
    if (!n || !n->parent)
        return;
    put_path(w, n->parent);
    if (!n->key)
        writer_printf(w, "[%zu]", n->index);
    else
        writer_printf(w, "%s%s", w->len ? "." : "", n->key);
}

static void set_key(struct emt_diag *diag, const struct yaml_node *n, const char *member)
{
    struct writer w;

    if (!diag)
        return;
    writer_init_fixed(&w, diag->key, sizeof diag->key - 1);
    put_path(&w, n);
    if (member)
        writer_printf(&w, "%s%s", w.len ? "." : "", member);
    diag->key[w.len] = 0;
}

static enum emt_err fail_here(struct builder *b, unsigned line, enum emt_err err, const char *text)
{
    set_place(b->diag, b->y, line);
    set_key(b->diag, b->at, b->key);
    return emt_fail(b->diag, err, "%s", text);
}

static enum emt_err add_node(struct builder *b, enum node_kind kind, unsigned line,
                             struct yaml_node **out)
{
    struct yaml_node *n;

    if (++b->nodes > NODES_MAX)
        return fail_here(b, line, EMT_ELIMIT, "more than 20000 values");
    n = arena_alloc(b->y->arena, sizeof *n);
    if (!n)
        return fail_here(b, line, EMT_ENOMEM, "out of memory");
    n->kind = kind;
    n->line = b->key ? b->key_line : line;
    n->key = b->key;
    n->parent = b->at;
    if (b->at) {
        n->index = b->at->count++;
        if (b->at->last)
            b->at->last->next = n;
        else
            b->at->first = n;
        b->at->last = n;
    } else {
        b->y->root = n;
    }
    b->key = NULL;
    *out = n;
    return EMT_OK;
}

static struct yaml_node *member(const struct yaml_node *map, const char *key)
{
    for (struct yaml_node *n = map->first; n; n = n->next)
        if (strcmp(n->key, key) == 0)
            return n;
    return NULL;
}

static enum emt_err on_scalar(struct builder *b, const yaml_event_t *ev, unsigned line)
{
    const char *value = (const char *)ev->data.scalar.value;
    size_t len = ev->data.scalar.length;
    struct yaml_node *n;
    const char *text;
    enum emt_err err;

    if (ev->data.scalar.anchor || ev->data.scalar.tag)
        return fail_here(b, line, EMT_EMALFORMED, "anchors and tags are not accepted");
    if (memchr(value, 0, len))
        return fail_here(b, line, EMT_EMALFORMED, "a text with a zero character");
    text = arena_text(b->y->arena, value, len);
    if (!text)
        return fail_here(b, line, EMT_ENOMEM, "out of memory");
    if (b->at && b->at->kind == NODE_MAP && !b->key) {
        b->key = text;
        b->key_line = line;
        if (member(b->at, text))
            return fail_here(b, line, EMT_EMALFORMED, "the key stands there twice");
        return EMT_OK;
    }
    err = add_node(b, NODE_SCALAR, line, &n);
    if (err)
        return err;
    n->text = text;
    n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return EMT_OK;
}

static enum emt_err on_open(struct builder *b, enum node_kind kind, bool marked, unsigned line)
{
    struct yaml_node *n;
    enum emt_err err;

    if (marked)
        return fail_here(b, line, EMT_EMALFORMED, "anchors and tags are not accepted");
    if (b->at && b->at->kind == NODE_MAP && !b->key)
        return fail_here(b, line, EMT_EMALFORMED, "a key must be a text");
    if (++b->depth > DEPTH_MAX)
        return fail_here(b, line, EMT_ELIMIT, "nested deeper than 16 levels");
    err = add_node(b, kind, line, &n);
    if (!err)
        b->at = n;
    return err;
}

static void on_close(struct builder *b)
{
    /* Parents are const for readers; the builder is the one who made them. */
    b->at = (struct yaml_node *)b->at->parent;
    b->depth--;
}

static enum emt_err on_event(struct builder *b, const yaml_event_t *ev, bool *done)
{
    unsigned line = (unsigned)ev->start_mark.line + 1;

    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(b, ev, line);
    case YAML_MAPPING_START_EVENT:
        return on_open(b, NODE_MAP, ev->data.mapping_start.anchor || ev->data.mapping_start.tag,
                       line);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, NODE_SEQ, ev->data.sequence_start.anchor || ev->data.sequence_start.tag,
                       line);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        on_close(b);
        return EMT_OK;
    case YAML_ALIAS_EVENT:
        return fail_here(b, line, EMT_EMALFORMED, "aliases are not accepted");
    case YAML_DOCUMENT_START_EVENT:
        if (++b->documents > 1)
            return fail_here(b, line, EMT_EMALFORMED, "more than one document");
        return EMT_OK;
    case YAML_STREAM_END_EVENT:
        *done = true;
        return EMT_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return EMT_OK;
    }
    return EMT_OK;
}

static enum emt_err build(struct builder *b)
{
    bool done = false;
    enum emt_err err = EMT_OK;

    while (!done && !err) {
        yaml_event_t ev;

        if (!yaml_parser_parse(&b->parser, &ev)) {
            if (b->parser.error == YAML_MEMORY_ERROR)
                return fail_here(b, 0, EMT_ENOMEM, "out of memory");
            return fail_here(b, (unsigned)b->parser.problem_mark.line + 1, EMT_EMALFORMED,
                             b->parser.problem ? b->parser.problem : "not YAML");
        }
        err = on_event(b, &ev, &done);
        yaml_event_delete(&ev);
    }
    return err;
}

static bool is_null(const struct yaml_node *n)
{
    return n->kind == NODE_SCALAR && n->plain &&
           (!*n->text || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

/* An empty file, or one of comments only, is an empty mapping. */
static enum emt_err finish_root(struct builder *b)
{
    struct yaml_node *n;

    b->at = NULL;
    b->key = NULL;
    if (b->y->root && !is_null(b->y->root)) {
        if (b->y->root->kind != NODE_MAP)
            return fail_here(b, b->y->root->line, EMT_EMALFORMED, "expected a mapping at the top");
        return EMT_OK;
    }
    b->nodes = 0;
    return add_node(b, NODE_MAP, 1, &n);
}

enum emt_err yaml_load_text(const char *name, const char *text, size_t n, struct yaml **out,
                            struct emt_diag *diag)
{
    struct yaml *y = calloc(1, sizeof *y);
    struct builder b = { .y = y, .diag = diag };
    enum emt_err err;

    if (!y)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    y->arena = arena_new(ARENA_MAX);
    y->name = y->arena ? arena_text(y->arena, name, strlen(name)) : NULL;
    if (!y->name || !yaml_parser_initialize(&b.parser)) {
        yaml_free(y);
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    if (n > FILE_MAX) {
        err = fail_here(&b, 0, EMT_ELIMIT, "larger than 1 MiB");
    } else {
        yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&b.parser, (const unsigned char *)(n ? text : ""), n);
        err = build(&b);
        if (!err)
            err = finish_root(&b);
    }
    yaml_parser_delete(&b.parser);
    if (err)
        yaml_free(y);
    else
        *out = y;
    return err;
}

enum emt_err yaml_load_file(const char *path, struct yaml **out, struct emt_diag *diag)
{
    char *text;
    size_t n;
    enum emt_err err = file_read(path, FILE_MAX, &text, &n, diag);

    if (err)
        return err == EMT_ENOTFOUND ? EMT_EIO : err;
    err = yaml_load_text(path, text, n, out, diag);
    free(text);
    return err;
}

void yaml_free(struct yaml *y)
{
    if (!y)
        return;
    arena_free(y->arena);
    free(y);
}

const struct yaml_node *yaml_root(const struct yaml *y)
{
    return y->root;
}

const struct yaml_node *yaml_get(const struct yaml *y, const struct yaml_node *map, const char *key)
{
    struct yaml_node *n;

    (void)y;
    if (!map || map->kind != NODE_MAP)
        return NULL;
    n = member(map, key);
    if (n)
        n->known = true;
    return n;
}

size_t yaml_count(const struct yaml_node *seq)
{
    return seq && seq->kind == NODE_SEQ ? seq->count : 0;
}

const struct yaml_node *yaml_at(const struct yaml_node *seq, size_t i)
{
    const struct yaml_node *n = seq && seq->kind == NODE_SEQ ? seq->first : NULL;

    while (n && i--)
        n = n->next;
    return n;
}

const char *yaml_scalar(const struct yaml_node *n)
{
    return n && n->kind == NODE_SCALAR && !is_null(n) ? n->text : NULL;
}

static enum emt_err EMT_PRINTF(4, 5) fail_at(const struct yaml *y, const struct yaml_node *n,
                                             struct emt_diag *diag, const char *fmt, ...)
{
    char text[sizeof diag->text];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    set_place(diag, y, n->line);
    set_key(diag, n, NULL);
    return emt_fail(diag, EMT_EMALFORMED, "%s", text);
}

enum emt_err yaml_refuse(const struct yaml *y, const struct yaml_node *n, struct emt_diag *diag,
                         const char *text)
{
    return fail_at(y, n, diag, "%s", text);
}

/* The scalar under map[key]; NULL in *out when it is absent. */
static enum emt_err scalar_of(const struct yaml *y, const struct yaml_node *map, const char *key,
                              const char *expected, const struct yaml_node **out,
                              struct emt_diag *diag)
{
    const struct yaml_node *n;

    *out = NULL;
    if (!map || is_null(map))
        return EMT_OK;
    if (map->kind != NODE_MAP)
        return fail_at(y, map, diag, "expected a mapping with \"%s\"", key);
    n = yaml_get(y, map, key);
    if (n && (n->kind != NODE_SCALAR || is_null(n)))
        return fail_at(y, n, diag, "expected %s", expected);
    *out = n;
    return EMT_OK;
}

enum emt_err yaml_text(const struct yaml *y, const struct yaml_node *map, const char *key,
                       const char **out, struct emt_diag *diag)
{
    const struct yaml_node *n;
    enum emt_err err = scalar_of(y, map, key, "a text", &n, diag);

    if (!err && n)
        *out = n->text;
    return err;
}

struct suffix {
    const char *text;
    int64_t factor;
};

static const struct suffix no_suffix[] = { { "", 1 }, { NULL, 0 } };
static const struct suffix durations[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
                                           { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 } };
static const struct suffix sizes[] = {
    { "", 1 }, { "KiB", 1024 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { NULL, 0 }
};

/* Digits, then one of the suffixes. */
static bool parse_scaled(const char *text, const struct suffix *suffixes, int64_t *out)
{
    bool negative = *text == '-';
    const char *p = text + negative;
    int64_t v = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        int64_t digit = *p - '0';

        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, negative ? -digit : digit, &v))
            return false;
    }
    for (; suffixes->text; suffixes++)
        if (strcmp(p, suffixes->text) == 0)
            return !__builtin_mul_overflow(v, suffixes->factor, out);
    return false;
}

static enum emt_err read_scaled(const struct yaml *y, const struct yaml_node *map, const char *key,
                                const struct suffix *suffixes, const char *expected, int64_t least,
                                int64_t most, int64_t *out, struct emt_diag *diag)
{
    const struct yaml_node *n;
    enum emt_err err = scalar_of(y, map, key, expected, &n, diag);
    int64_t v;

    if (err || !n)
        return err;
    if (!n->plain || !parse_scaled(n->text, suffixes, &v))
        return fail_at(y, n, diag, "expected %s, found \"%.80s\"", expected, n->text);
    if (v < least || v > most)
        return fail_at(y, n, diag, "%.40s is out of range: %lld to %lld%s", n->text,
                       (long long)least, (long long)most,
                       suffixes == durations ? " ms"
                       : suffixes == sizes   ? " bytes"
                                             : "");
    *out = v;
    return EMT_OK;
}

enum emt_err yaml_int(const struct yaml *y, const struct yaml_node *map, const char *key,
                      int64_t least, int64_t most, int64_t *out, struct emt_diag *diag)
{
    return read_scaled(y, map, key, no_suffix, "a whole number", least, most, out, diag);
}

enum emt_err yaml_bool(const struct yaml *y, const struct yaml_node *map, const char *key,
                       bool *out, struct emt_diag *diag)
{
    const struct yaml_node *n;
    enum emt_err err = scalar_of(y, map, key, "true or false", &n, diag);

    if (err || !n)
        return err;
    if (n->plain && strcmp(n->text, "true") == 0)
        *out = true;
    else if (n->plain && strcmp(n->text, "false") == 0)
        *out = false;
    else
        return fail_at(y, n, diag, "expected true or false, found \"%.80s\"", n->text);
    return EMT_OK;
}

enum emt_err yaml_duration_ms(const struct yaml *y, const struct yaml_node *map, const char *key,
                              int64_t least, int64_t most, int64_t *out, struct emt_diag *diag)
{
    return read_scaled(y, map, key, durations, "a duration such as 500ms, 30s, 5m, 48h or 30d",
                       least, most, out, diag);
}

enum emt_err yaml_size(const struct yaml *y, const struct yaml_node *map, const char *key,
                       int64_t least, int64_t most, int64_t *out, struct emt_diag *diag)
{
    return read_scaled(y, map, key, sizes, "a size such as 512, 64KiB, 8MiB or 1GiB", least, most,
                       out, diag);
}

/* In file order; depth is bounded by DEPTH_MAX. */
static const struct yaml_node *first_unknown(const struct yaml_node *n)
{
    for (const struct yaml_node *child = n->first; child; child = child->next) {
        const struct yaml_node *found =
            n->kind == NODE_MAP && !child->known ? child : first_unknown(child);

        if (found)
            return found;
    }
    return NULL;
}

enum emt_err yaml_unknown(const struct yaml *y, struct emt_diag *diag)
{
    const struct yaml_node *n = first_unknown(y->root);

    return n ? fail_at(y, n, diag, "unknown key") : EMT_OK;
}
