#include "fleet_enrol.h"

#include "agent/enrol.h"
#include "agent/gateway_config.h"
#include "base/cipher.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define LINE_LIMIT 1024

struct tally {
    unsigned enrolled, known, failed;
};

/* The names become a folder. */
static bool name_valid(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return *name && *name != '.' && strlen(name) < GATEWAY_NAME_MAX &&
           name[strspn(name, allowed)] == '\0';
}

static void enrol_one(const struct fleet_enrol_options *o, const char *tenant, const char *gateway,
                      const char *token, struct tally *t)
{
    char dir[GATEWAY_PATH_MAX], text[1024];
    struct emt_diag diag = { 0 };
    struct enrol_request r = { .server = o->server, .token = token, .dir = dir, .tls = o->tls };

    memcpy(r.pin, o->pin, sizeof r.pin);
    int n = snprintf(dir, sizeof dir, "%s/%s.%s", o->dir, tenant, gateway);
    enum emt_err err = n > 0 && (size_t)n < sizeof dir
                           ? enrol(&r, &diag)
                           : emt_fail(&diag, EMT_ELIMIT, "path too long");
    if (err == EMT_OK) {
        t->enrolled++;
    } else if (err == EMT_ECONFLICT) {
        t->known++;
    } else {
        t->failed++;
        fprintf(stderr, "emt-fleet: %s %s: %s\n", tenant, gateway,
                emt_diag_format(&diag, text, sizeof text));
    }
}

static bool enrol_line(const struct fleet_enrol_options *o, const char *line, struct tally *t)
{
    char tenant[128], gateway[128], token[512], rest[2];
    int n = sscanf(line, "%127s %127s %511s %1s", tenant, gateway, token, rest);

    if (n <= 0 || tenant[0] == '#')
        return true;
    if (n != 3 || !name_valid(tenant) || !name_valid(gateway))
        return false;
    enrol_one(o, tenant, gateway, token, t);
    cipher_wipe(token, sizeof token);
    return true;
}

int fleet_enrol(const struct fleet_enrol_options *o)
{
    char line[LINE_LIMIT];
    struct tally t = { 0 };
    unsigned number = 0;
    bool fine = true;
    FILE *file = strcmp(o->tokens, "-") == 0 ? stdin : fopen(o->tokens, "re");

    if (!file) {
        fprintf(stderr, "emt-fleet: %s: %s\n", o->tokens, strerror(errno));
        return 2;
    }
    while (fine && fgets(line, sizeof line, file)) {
        number++;
        fine = (strchr(line, '\n') || feof(file)) && enrol_line(o, line, &t);
    }
    cipher_wipe(line, sizeof line);
    if (file != stdin)
        fclose(file);
    if (!fine)
        fprintf(stderr, "emt-fleet: %s:%u: \"tenant gateway token\" is expected\n", o->tokens,
                number);
    printf("{\"enrolled\":%u,\"known\":%u,\"failed\":%u}\n", t.enrolled, t.known, t.failed);
    fflush(stdout);
    return !fine ? 2 : t.failed ? 1 : 0;
}
