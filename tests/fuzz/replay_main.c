/* Stands in for libFuzzer where there is none: replays a corpus through LLVMFuzzerTestOneInput, so
 * that every ordinary test run covers the fuzz targets. Arguments are files of hex text, or folders
 * of them: one input per line, white space between bytes allowed, '#' starts a comment.
 *
 * Each input runs as it stands, then every prefix of it, then copies with one flipped bit. Nothing
 * is random: a crash comes back with the same command. Inputs lie in memory of exactly their size,
 * so that AddressSanitizer sees a read behind the end. Exit 0, or 1 when a file cannot be read, a
 * line is no hex or no input was found. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_LEN 4096
#define ALL_PREFIXES 2048 /* longer inputs: then each 61st only */
#define PREFIX_STEP 61
#define FLIPS 256 /* per input: all bits of a short one, spread over a long one */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct replay {
    unsigned long inputs;
    unsigned long runs;
    bool failed;
};

/* One run on a copy of exactly n bytes, with bit `flip` of it inverted (SIZE_MAX: none). */
static void run(struct replay *r, const uint8_t *p, size_t n, size_t flip)
{
    uint8_t *copy = malloc(n ? n : 1);

    if (!copy) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    if (n)
        memcpy(copy, p, n);
    if (flip != SIZE_MAX)
        copy[flip / 8] ^= (uint8_t)(1u << flip % 8);
    (void)LLVMFuzzerTestOneInput(copy, n);
    free(copy);
    r->runs++;
}

static void replay_input(struct replay *r, const uint8_t *p, size_t n)
{
    size_t bits = n * 8;
    size_t step = bits > FLIPS ? bits / FLIPS | 1 : 1;

    r->inputs++;
    run(r, p, n, SIZE_MAX);
    for (size_t i = 0; i < n; i += i < ALL_PREFIXES ? 1 : PREFIX_STEP)
        run(r, p, i, SIZE_MAX);
    for (size_t i = 0; i < bits; i += step)
        run(r, p, n, i);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes a line in place. Returns the number of bytes, -1 for a line that is no hex, -2 for one
 * without input. */
static long decode_line(char *line)
{
    uint8_t *out = (uint8_t *)line;
    size_t n = 0;

    line[strcspn(line, "#\r\n")] = 0;
    if (line[strspn(line, " \t")] == 0)
        return -2;
    for (const char *p = line; *p;) {
        if (*p == ' ' || *p == '\t') {
            p++;
            continue;
        }
        if (digit(p[0]) < 0 || digit(p[1]) < 0)
            return -1;
        out[n++] = (uint8_t)(digit(p[0]) << 4 | digit(p[1]));
        p += 2;
    }
    return (long)n;
}

static void replay_file(struct replay *r, const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;

    if (!f) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        r->failed = true;
        return;
    }
    for (unsigned number = 1; getline(&line, &cap, f) >= 0; number++) {
        long n = decode_line(line);

        if (n >= 0) {
            replay_input(r, (const uint8_t *)line, (size_t)n);
        } else if (n == -1) {
            fprintf(stderr, "%s:%u: not hex\n", path, number);
            r->failed = true;
        }
    }
    free(line);
    fclose(f);
}

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void replay_path(struct replay *r, const char *path)
{
    struct dirent **entries;
    struct stat st;
    int n;

    if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
        replay_file(r, path);
        return;
    }
    n = scandir(path, &entries, visible, alphasort);
    if (n < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        r->failed = true;
        return;
    }
    for (int i = 0; i < n; i++) {
        char below[PATH_LEN];

        if (snprintf(below, sizeof below, "%s/%s", path, entries[i]->d_name) < PATH_LEN)
            replay_path(r, below);
        else
            r->failed = true;
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    struct replay r = { 0, 0, false };

    for (int i = 1; i < argc; i++)
        replay_path(&r, argv[i]);
    printf("%lu inputs, %lu runs\n", r.inputs, r.runs);
    if (r.inputs == 0)
        fprintf(stderr, "no input found\n");
    return r.failed || r.inputs == 0 ? 1 : 0;
}
