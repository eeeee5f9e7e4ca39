#include "fleet_enrol.h"

#include "agent/enrol.h"
#include "agent/gateway_config.h"
#include "base/cipher.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define LINE_LIMIT 1024

struct tally {
    unsigned enrolled, known, failed;
};

/* The threads take one line after the other. */
struct enrolment {
    const struct fleet_enrol_options *o;
    FILE *file;
    pthread_mutex_t mutex; /* guards what follows, and file */
    unsigned number;       /* lines read */
    unsigned wrong;        /* the line that is none; 0: all are */
    struct tally tally;
};

/* The names become a folder. */
static bool name_valid(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return *name && *name != '.' && strlen(name) < GATEWAY_NAME_MAX &&
           name[strspn(name, allowed)] == '\0';
}

static enum emt_err enrol_one(const struct fleet_enrol_options *o, const char *tenant,
                              const char *gateway, const char *token)
{
    char dir[GATEWAY_PATH_MAX], text[1024];
    struct emt_diag diag = { 0 };
    struct enrol_request r = {
        .server = o->server, .token = token, .dir = dir, .tls = o->tls, .key = o->key
    };

    memcpy(r.pin, o->pin, sizeof r.pin);
    int n = snprintf(dir, sizeof dir, "%s/%s.%s", o->dir, tenant, gateway);
    enum emt_err err = n > 0 && (size_t)n < sizeof dir
                           ? enrol(&r, &diag)
                           : emt_fail(&diag, EMT_ELIMIT, "path too long");
    if (err != EMT_OK && err != EMT_ECONFLICT)
        fprintf(stderr, "emt-fleet: %s %s: %s\n", tenant, gateway,
                emt_diag_format(&diag, text, sizeof text));
    return err;
}

static void count(struct enrolment *e, enum emt_err err)
{
    pthread_mutex_lock(&e->mutex);
    if (err == EMT_OK)
        e->tally.enrolled++;
    else if (err == EMT_ECONFLICT)
        e->tally.known++;
    else
        e->tally.failed++;
    pthread_mutex_unlock(&e->mutex);
}

/* false: it is no line of a file of tokens. */
static bool enrol_line(struct enrolment *e, const char *line)
{
    char tenant[128], gateway[128], token[512], rest[2];
    int n = sscanf(line, "%127s %127s %511s %1s", tenant, gateway, token, rest);

    if (n <= 0 || tenant[0] == '#')
        return true;
    if (n != 3 || !name_valid(tenant) || !name_valid(gateway))
        return false;
    count(e, enrol_one(e->o, tenant, gateway, token));
    cipher_wipe(token, sizeof token);
    return true;
}

/* The line's number; 0 at the end of the file, or of the work because of a wrong line. */
static unsigned next_line(struct enrolment *e, char line[LINE_LIMIT])
{
    unsigned number = 0;

    pthread_mutex_lock(&e->mutex);
    if (!e->wrong && fgets(line, LINE_LIMIT, e->file)) {
        number = ++e->number;
        if (!strchr(line, '\n') && !feof(e->file)) {
            e->wrong = number; /* too long */
            number = 0;
        }
    }
    pthread_mutex_unlock(&e->mutex);
    return number;
}

static void *enrol_lines(void *arg)
{
    struct enrolment *e = arg;
    char line[LINE_LIMIT];
    unsigned number;

    while ((number = next_line(e, line)) != 0) {
        if (enrol_line(e, line))
            continue;
        pthread_mutex_lock(&e->mutex);
        if (!e->wrong)
            e->wrong = number;
        pthread_mutex_unlock(&e->mutex);
    }
    cipher_wipe(line, sizeof line);
    return NULL;
}

/* A thread that does not start is no fault: the others do its work. */
static void enrol_all(struct enrolment *e)
{
    pthread_t thread[FLEET_ENROL_PARALLEL_MAX];
    unsigned n = 0;

    while (n + 1 < e->o->parallel && pthread_create(&thread[n], NULL, enrol_lines, e) == 0)
        n++;
    (void)enrol_lines(e);
    while (n > 0)
        pthread_join(thread[--n], NULL);
}

int fleet_enrol(const struct fleet_enrol_options *o)
{
    struct enrolment e = { .o = o, .mutex = PTHREAD_MUTEX_INITIALIZER };

    e.file = strcmp(o->tokens, "-") == 0 ? stdin : fopen(o->tokens, "re");
    if (!e.file) {
        fprintf(stderr, "emt-fleet: %s: %s\n", o->tokens, strerror(errno));
        return 2;
    }
    enrol_all(&e);
    if (e.file != stdin)
        fclose(e.file);
    if (e.wrong)
        fprintf(stderr, "emt-fleet: %s:%u: \"tenant gateway token\" is expected\n", o->tokens,
                e.wrong);
    printf("{\"enrolled\":%u,\"known\":%u,\"failed\":%u}\n", e.tally.enrolled, e.tally.known,
           e.tally.failed);
    fflush(stdout);
    return e.wrong ? 2 : e.tally.failed ? 1 : 0;
}
