/* File: one line per command, oldest first: 32 hex digits of the key, outcome, text. */
#include "agent/command_memory.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define KEY_HEX ((size_t)2 * COMMAND_KEY_LEN)
#define LINE_MAX_LEN (KEY_HEX + 16 + COMMAND_TEXT_MAX)
#define FILE_LIMIT (COMMAND_MEMORY_MAX * LINE_MAX_LEN)

struct command_memory {
    char *path;
    size_t n;
    size_t oldest;                /* once full */
    struct command_outcome *item; /* grows: most gateways hold few */
    size_t cap;
};

static enum emt_err remember(struct command_memory *m, const struct command_outcome *o)
{
    if (m->n == COMMAND_MEMORY_MAX) {
        m->item[m->oldest] = *o;
        m->oldest = (m->oldest + 1) % COMMAND_MEMORY_MAX;
        return EMT_OK;
    }
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 8;
        struct command_outcome *item = realloc(m->item, cap * sizeof *item);
        if (!item)
            return EMT_ENOMEM;
        m->item = item;
        m->cap = cap;
    }
    m->item[m->n++] = *o;
    return EMT_OK;
}

static enum emt_err parse_line(const char *line, size_t n, struct command_outcome *o)
{
    size_t len = 0;
    char *end = NULL;

    memset(o, 0, sizeof *o);
    if (n < KEY_HEX + 3 || n >= LINE_MAX_LEN || line[KEY_HEX] != ' ')
        return EMT_EMALFORMED;
    enum emt_err err = hex_decode(line, KEY_HEX, o->key, sizeof o->key, &len);
    if (err != EMT_OK || len != COMMAND_KEY_LEN)
        return EMT_EMALFORMED;
    unsigned long outcome = strtoul(line + KEY_HEX + 1, &end, 10);
    if (*end != ' ' || outcome > UINT32_MAX)
        return EMT_EMALFORMED;
    o->outcome = (uint32_t)outcome;
    size_t text_len = n - (size_t)(end + 1 - line);
    if (text_len >= COMMAND_TEXT_MAX)
        return EMT_EMALFORMED;
    memcpy(o->text, end + 1, text_len);
    return EMT_OK;
}

static enum emt_err load(struct command_memory *m, struct emt_diag *diag)
{
    char *text = NULL;
    size_t len = 0;
    struct emt_diag why = { 0 };
    enum emt_err err = file_read(m->path, FILE_LIMIT, &text, &len, &why);

    if (err == EMT_ENOTFOUND)
        return EMT_OK; /* not worth a word: no command came yet */
    if (err != EMT_OK) {
        if (diag)
            *diag = why;
        return err;
    }
    for (char *line = text; err == EMT_OK && line < text + len;) {
        struct command_outcome o;
        char *end = memchr(line, '\n', (size_t)(text + len - line));
        if (!end) {
            err = EMT_EMALFORMED;
            break;
        }
        *end = '\0';
        err = parse_line(line, (size_t)(end - line), &o);
        if (err == EMT_OK)
            err = remember(m, &o);
        line = end + 1;
    }
    free(text);
    if (err != EMT_OK)
        return emt_fail(diag, err, "%s: damaged list of remembered commands", m->path);
    return EMT_OK;
}

enum emt_err command_memory_open(const char *path, struct command_memory **out,
                                 struct emt_diag *diag)
{
    struct command_memory *m = calloc(1, sizeof *m);

    if (!m)
        return EMT_ENOMEM;
    if (path) {
        m->path = strdup(path);
        enum emt_err err = m->path ? load(m, diag) : EMT_ENOMEM;
        if (err != EMT_OK) {
            command_memory_free(m);
            return err;
        }
    }
    *out = m;
    return EMT_OK;
}

void command_memory_free(struct command_memory *m)
{
    if (!m)
        return;
    free(m->item);
    free(m->path);
    free(m);
}

const struct command_outcome *command_memory_find(const struct command_memory *m,
                                                  const uint8_t key[COMMAND_KEY_LEN])
{
    for (size_t i = 0; i < m->n; i++) {
        if (memcmp(m->item[i].key, key, COMMAND_KEY_LEN) == 0)
            return &m->item[i];
    }
    return NULL;
}

static enum emt_err save(const struct command_memory *m)
{
    struct writer w;
    char hex[KEY_HEX + 1];

    writer_init_heap(&w, FILE_LIMIT);
    for (size_t i = 0; i < m->n; i++) {
        const struct command_outcome *o = &m->item[(m->oldest + i) % m->n];
        writer_printf(&w, "%s %u %s\n", hex_encode(o->key, COMMAND_KEY_LEN, hex), o->outcome,
                      o->text);
    }
    enum emt_err err = w.failed ? EMT_ENOMEM : file_write(m->path, w.data, w.len, 0600, NULL);
    writer_release(&w);
    return err;
}

enum emt_err command_memory_put(struct command_memory *m, const struct command_outcome *o)
{
    struct command_outcome clean = *o;

    clean.text[COMMAND_TEXT_MAX - 1] = '\0';
    for (char *p = clean.text; *p; p++) {
        if ((unsigned char)*p < ' ')
            *p = ' '; /* one line per command */
    }
    enum emt_err err = remember(m, &clean);
    return err == EMT_OK && m->path ? save(m) : err;
}
