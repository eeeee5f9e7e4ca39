#include "agent/replay.h"

#include "base/hex.h"
#include "model/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define LINE_LIMIT (2 * SPOOL_FRAME_MAX + 1024)

struct replay {
    FILE *file;
    char *path;
    unsigned line;
    char text[LINE_LIMIT];
    uint8_t data[SPOOL_FRAME_MAX];
};

enum emt_err replay_open(const char *path, struct replay **out, struct emt_diag *diag)
{
    struct replay *r = calloc(1, sizeof *r);

    if (!r)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    r->path = strdup(path);
    r->file = r->path ? fopen(path, "re") : NULL;
    if (!r->file) {
        enum emt_err err = emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));
        replay_close(r);
        return err;
    }
    *out = r;
    return EMT_OK;
}

void replay_close(struct replay *r)
{
    if (!r)
        return;
    if (r->file)
        fclose(r->file);
    free(r->path);
    free(r);
}

/* The next word of *at, ended with a 0; NULL at the end of the line. */
static char *next_word(char **at)
{
    char *word = *at + strspn(*at, " \t\r");

    if (!*word)
        return NULL;
    char *end = word + strcspn(word, " \t\r");
    *at = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

static enum emt_err parse_rssi(const char *text, struct spool_frame *f, struct emt_diag *diag)
{
    char *end = NULL;
    long v = strtol(text, &end, 10);

    if (!*text || *end || v < -200 || v > 50)
        return emt_fail(diag, EMT_EMALFORMED, "rssi=%.40s is no level in dBm", text);
    f->rssi_dbm = (int32_t)v;
    return EMT_OK;
}

static enum emt_err parse_option(const char *word, struct spool_frame *f, struct emt_diag *diag)
{
    enum frame_format format;

    if (strncmp(word, "format=", 7) == 0) {
        if (frame_format_parse(word + 7, &format) != EMT_OK)
            return emt_fail(diag, EMT_EMALFORMED, "%.60s is no format", word + 7);
        f->format = (uint16_t)format;
        return EMT_OK;
    }
    if (strncmp(word, "rssi=", 5) == 0)
        return parse_rssi(word + 5, f, diag);
    if (strncmp(word, "time=", 5) == 0) {
        if (time_parse(word + 5, &f->received_at) != EMT_OK)
            return emt_fail(diag, EMT_EMALFORMED, "%.60s is no time", word + 5);
        return EMT_OK;
    }
    return emt_fail(diag, EMT_EMALFORMED, "%.60s is no option", word);
}

static enum emt_err parse_word(const char *word, uint8_t *buf, struct spool_frame *f,
                               struct emt_diag *diag)
{
    enum protocol protocol;

    if (strchr(word, '='))
        return parse_option(word, f, diag);
    if (protocol_parse(word, &protocol) == EMT_OK) {
        f->protocol = (uint16_t)protocol;
        return EMT_OK;
    }
    if (f->data)
        return emt_fail(diag, EMT_EMALFORMED, "more than one telegram on a line");
    enum emt_err err = hex_decode(word, strlen(word), buf, SPOOL_FRAME_MAX, &f->len);
    if (err != EMT_OK || f->len == 0)
        return emt_fail(diag, EMT_EMALFORMED, "\"%.20s\" is no hex telegram of at most %u bytes",
                        word, SPOOL_FRAME_MAX);
    f->data = buf;
    return EMT_OK;
}

enum emt_err replay_parse_line(char *line, uint8_t *buf, struct spool_frame *out,
                               struct emt_diag *diag)
{
    struct spool_frame f = { .protocol = PROTOCOL_WMBUS, .received_at = EMT_TIME_NONE };
    unsigned words = 0;

    line[strcspn(line, "#\n")] = '\0';
    for (char *word = next_word(&line); word; word = next_word(&line)) {
        enum emt_err err = parse_word(word, buf, &f, diag);
        if (err != EMT_OK)
            return err;
        words++;
    }
    if (words == 0)
        return EMT_ENOTFOUND;
    if (!f.data)
        return emt_fail(diag, EMT_EMALFORMED, "no telegram on this line");
    *out = f;
    return EMT_OK;
}

enum emt_err replay_next(struct replay *r, struct spool_frame *out, struct emt_diag *diag)
{
    for (;;) {
        if (!fgets(r->text, sizeof r->text, r->file))
            return ferror(r->file) ? emt_fail(diag, EMT_EIO, "%s: %s", r->path, strerror(errno))
                                   : EMT_ENOTFOUND;
        r->line++;
        enum emt_err err = EMT_OK;
        if (!strchr(r->text, '\n') && !feof(r->file))
            err = emt_fail(diag, EMT_EMALFORMED, "line too long");
        else
            err = replay_parse_line(r->text, r->data, out, diag);
        if (err == EMT_ENOTFOUND)
            continue;
        if (err != EMT_OK && diag) {
            snprintf(diag->file, sizeof diag->file, "%.255s", r->path);
            diag->line = r->line;
        }
        return err;
    }
}
