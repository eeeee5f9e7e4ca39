#include "ctl_decode.h"

#include "base/arena.h"
#include "base/cipher.h"
#include "ctl_options.h"
#include "decode_json.h"
#include "decode_line.h"
#include "format_cache.h"
#include "parsers/explain.h"
#include "parsers/fragment_buffer.h"
#include "parsers/vendor_profiles.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_LIMIT ((size_t)64 * 1024 * 1024)
#define ANSWER_LIMIT ((size_t)64 * 1024 * 1024)

static const char usage[] =
    "usage: emtctl decode [--explain[=text]]\n"
    "\n"
    "Reads telegrams from stdin, one JSON object a line, and answers each with a line of JSON, in\n"
    "order: what was measured, or why it could not be read.\n"
    "  --explain       each answer tells what every byte means, too\n"
    "  --explain=text  the same for people, instead of JSON\n"
    "docs/architecture.md has the members.\n"
    "exit: 0 every line was answered, 1 reading or writing failed, 2 wrong usage\n";
static const struct ctl_command me = { .name = "emtctl decode", .usage = usage };

enum explain_form { EXPLAIN_NOT, EXPLAIN_JSON, EXPLAIN_TEXT };

struct run {
    enum explain_form explain;
    unsigned long lines; /* read so far, for messages */
    char *line;          /* DECODE_LINE_MAX + 1 */
    uint8_t *frame;
    struct arena *arena;
    struct cipher *cipher;
    struct format_cache *formats;
    struct fragment_buffer *fragments;
    struct vendor_profiles *vendors;
    struct writer answer;
};

enum line_end { LINE_READ, LINE_TOO_LONG, LINE_NONE };

/* The next line without its end; of one that is too long nothing is kept. */
static enum line_end read_line(FILE *in, char *buf, size_t *len)
{
    size_t n = 0;
    int c;

    while ((c = getc(in)) != EOF && c != '\n') {
        if (n < DECODE_LINE_MAX)
            buf[n] = (char)c;
        if (n <= DECODE_LINE_MAX)
            n++;
    }
    *len = n;
    if (c == EOF && n == 0)
        return LINE_NONE;
    return n > DECODE_LINE_MAX ? LINE_TOO_LONG : LINE_READ;
}

static unsigned find_key(void *ctx, const struct device_id *device, struct device_key *keys)
{
    const struct device_key *key = ctx;

    (void)device; /* the key of a line is the key of its meter */
    if (key->len == 0)
        return 0;
    keys[0] = *key;
    return 1;
}

/* For people: a heading, then what explain_put_text() says. */
static void put_text(struct run *run, const char *id, const struct decode_result *r,
                     const struct explanation *ex)
{
    char device[DEVICE_ID_TEXT_MAX];

    writer_printf(&run->answer, "frame %s: %s%s%s\n", id, frame_state_name(r->state),
                  r->has_device ? ", device " : "",
                  r->has_device ? device_id_format(&r->device, device) : "");
    explain_put_text(&run->answer, ex);
    writer_text(&run->answer, "\n");
}

static void decode_parsed(struct run *run, struct decode_line *line, const char *id)
{
    struct decode_result result;
    struct explanation ex;
    char reason[64];
    enum emt_err err;

    line->req.keys = (struct key_lookup){ find_key, &line->key };
    line->req.formats = format_cache_store(run->formats);
    line->req.fragments = fragment_buffer_store(run->fragments);
    line->req.vendors = run->vendors;
    line->req.cipher = run->cipher;
    line->req.arena = run->arena;
    if (run->explain == EXPLAIN_NOT)
        err = decode_frame(&line->req, &result);
    else
        err = explain_frame(&line->req, &result, &ex);
    if (err == EMT_OK && run->explain == EXPLAIN_TEXT) {
        put_text(run, id, &result, &ex);
        return;
    }
    if (err == EMT_OK) {
        decode_json_put(&run->answer, id, &result, run->explain == EXPLAIN_JSON ? &ex : NULL);
        return;
    }
    (void)snprintf(reason, sizeof reason, "decoder: %s", emt_err_name(err));
    decode_json_put_refusal(&run->answer, id, result.state, reason);
}

/* There is nothing to answer to: the answer is as short as the contract says, and the reason goes
 * to whoever watches. */
static void answer_no_json(struct run *run, const char *why)
{
    (void)fprintf(stderr, "emtctl decode: line %lu: %s\n", run->lines, why);
    decode_json_put_no_json(&run->answer);
}

static void answer_line(struct run *run, const char *text, size_t len)
{
    struct decode_line line = { .frame = run->frame };
    struct emt_diag diag = { 0 };
    char why[480];
    enum emt_err err = decode_line_parse(text, len, &line, &diag);
    char *id = line.id ? json_dumps(line.id, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    if (err == EMT_OK)
        decode_parsed(run, &line, id ? id : "null");
    else if (!line.json)
        answer_no_json(run, emt_diag_format(&diag, why, sizeof why));
    else
        decode_json_put_refusal(&run->answer, id ? id : "null",
                                err == EMT_EUNSUPPORTED ? FRAME_UNSUPPORTED : FRAME_MALFORMED,
                                emt_diag_format(&diag, why, sizeof why));
    free(id);
    decode_line_release(&line);
}

static bool run_init(struct run *run, enum explain_form explain)
{
    memset(run, 0, sizeof *run);
    run->explain = explain;
    run->line = malloc(DECODE_LINE_MAX + 1);
    run->frame = malloc(DECODE_FRAME_MAX);
    run->arena = arena_new(ARENA_LIMIT);
    run->cipher = cipher_new();
    run->formats = format_cache_new();
    run->fragments = fragment_buffer_new();
    run->vendors = vendor_profiles_new();
    writer_init_heap(&run->answer, ANSWER_LIMIT);
    return run->line && run->frame && run->arena && run->cipher && run->formats && run->fragments &&
           run->vendors;
}

static void run_release(struct run *run)
{
    writer_release(&run->answer);
    vendor_profiles_free(run->vendors);
    fragment_buffer_free(run->fragments);
    format_cache_free(run->formats);
    cipher_free(run->cipher);
    arena_free(run->arena);
    free(run->frame);
    free(run->line);
}

/* The layouts of manufacturers that come with the program. */
static bool load_vendors(struct run *run)
{
    struct emt_diag diag = { 0 };
    char why[480];

    if (vendor_profiles_add_builtin(run->vendors, &diag) == EMT_OK)
        return true;
    (void)fprintf(stderr, "emtctl decode: %s\n", emt_diag_format(&diag, why, sizeof why));
    return false;
}

static bool answer_all(struct run *run, FILE *in, FILE *out)
{
    enum line_end end;
    size_t len;

    while ((end = read_line(in, run->line, &len)) != LINE_NONE) {
        run->lines++;
        writer_clear(&run->answer);
        arena_reset(run->arena);
        if (end == LINE_READ)
            answer_line(run, run->line, len);
        else
            answer_no_json(run, "longer than 1048576 bytes");
        if (run->answer.failed) {
            writer_clear(&run->answer);
            decode_json_put_refusal(&run->answer, "null", FRAME_MALFORMED, "answer too long");
        }
        /* One answer at a time, so that a pipe can be used as a service. */
        if (fwrite(run->answer.data, 1, run->answer.len, out) != run->answer.len ||
            fflush(out) != 0)
            return false;
    }
    return !ferror(in);
}

static bool read_explain(const char *arg, enum explain_form *out)
{
    *out = strcmp(arg, "--explain=text") == 0 ? EXPLAIN_TEXT : EXPLAIN_JSON;
    return *out == EXPLAIN_TEXT || strcmp(arg, "--explain") == 0 ||
           strcmp(arg, "--explain=json") == 0;
}

int ctl_decode(int argc, char **argv)
{
    struct run run;
    enum explain_form explain = EXPLAIN_NOT;
    int code = 0;

    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    if (argc > 2 || (argc == 2 && !read_explain(argv[1], &explain)))
        return ctl_wrong_usage(&me, "takes --explain or --explain=text, not ", argv[argc - 1]);
    if (!run_init(&run, explain)) {
        (void)fprintf(stderr, "emtctl decode: out of memory\n");
        code = 1;
    } else if (!load_vendors(&run)) {
        code = 1;
    } else if (!answer_all(&run, stdin, stdout)) {
        (void)fprintf(stderr, "emtctl decode: %s\n", strerror(errno));
        code = 1;
    }
    run_release(&run);
    return code;
}
