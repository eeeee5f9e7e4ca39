#include "ctl_options.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

bool ctl_wants_help(int argc, char **argv)
{
    return argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0);
}

int ctl_help(const struct ctl_command *c)
{
    return fputs(c->usage, stdout) < 0 || fflush(stdout) != 0 ? 1 : 0;
}

int ctl_wrong_usage(const struct ctl_command *c, const char *what, const char *arg)
{
    if (what != NULL)
        (void)fprintf(stderr, "%s: %s%s\n", c->name, what, arg != NULL ? arg : "");
    (void)fputs(c->usage, stderr);
    return 2;
}

static const struct ctl_option *find(const struct ctl_option *known, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(known[i].name, name) == 0)
            return &known[i];
    }
    return NULL;
}

int ctl_options_read(const struct ctl_command *c, int argc, char **argv, int from,
                     const struct ctl_option *known, size_t n, int *words)
{
    bool options = true;

    *words = 0;
    for (int i = from; i < argc; i++) {
        const struct ctl_option *o = options ? find(known, n, argv[i]) : NULL;

        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (o == NULL && options && argv[i][0] == '-') {
            return ctl_wrong_usage(c, "unknown option ", argv[i]);
        } else if (o == NULL) {
            if (*words == c->words)
                return ctl_wrong_usage(c, "one word too many: ", argv[i]);
            argv[from + (*words)++] = argv[i];
        } else if (o->flag != NULL) {
            *o->flag = true;
        } else if (*o->text != NULL) {
            return ctl_wrong_usage(c, "given twice: ", argv[i]);
        } else if (i + 1 == argc) {
            return ctl_wrong_usage(c, "a value is missing behind ", argv[i]);
        } else {
            *o->text = argv[++i];
        }
    }
    return 0;
}

int ctl_where_check(const struct ctl_command *c, const struct ctl_where *w)
{
    if ((w->embedded != NULL) + (w->config != NULL) + (w->conninfo != NULL) > 1)
        return ctl_wrong_usage(c, "only one of --embedded, --config and --conninfo", NULL);
    return 0;
}

int ctl_end(const struct ctl_command *c, enum emt_err err, const struct emt_diag *diag)
{
    char text[512];

    if (err == EMT_OK && fflush(stdout) == 0)
        return 0;
    if (err == EMT_OK)
        err = EMT_EIO;
    (void)emt_diag_format(diag, text, sizeof text);
    (void)fprintf(stderr, "%s: %s\n", c->name, *text ? text : emt_err_name(err));
    return 1;
}

const char *ctl_actor(char out[CTL_ACTOR_MAX])
{
    const struct passwd *who = getpwuid(getuid());

    (void)snprintf(out, CTL_ACTOR_MAX, "emtctl:%.60s", who != NULL ? who->pw_name : "?");
    return out;
}
