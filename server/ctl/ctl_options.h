/* What all commands of emtctl do alike: help, options, the last word on stderr. */
#ifndef EMT_CTL_CTL_OPTIONS_H
#define EMT_CTL_CTL_OPTIONS_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* How a command calls itself and what it explains. */
struct ctl_command {
    const char *name; /* "emtctl export" */
    const char *usage;
    int words; /* most words beside options, e.g. names of files */
};

/* With text a value stands behind the option, which may be given once; else it is a flag. */
struct ctl_option {
    const char *name;
    const char **text;
    bool *flag;
};

/* Which database; at most one of the first three is given. */
struct ctl_where {
    const char *embedded, *config, *conninfo;
};
#define CTL_WHERE(where)                                                                           \
    { "--embedded", &(where)->embedded, NULL }, { "--config", &(where)->config, NULL },            \
    {                                                                                              \
        "--conninfo", &(where)->conninfo, NULL                                                     \
    }

/* Whether help is asked for instead of work; main() puts a --help from anywhere first. */
bool ctl_wants_help(int argc, char **argv);
/* The usage on stdout; 0. */
int ctl_help(const struct ctl_command *c);
/* What is wrong (NULL: nothing worth saying), then the usage on stderr; 2. */
int ctl_wrong_usage(const struct ctl_command *c, const char *what, const char *arg);
/* Reads argv[from] and on. The words that are no options move to the front there, *words of them;
 * behind a "--" everything is a word. 0, or the exit code. */
int ctl_options_read(const struct ctl_command *c, int argc, char **argv, int from,
                     const struct ctl_option *known, size_t n, int *words);
/* 0, or the exit code where more than one database is named. */
int ctl_where_check(const struct ctl_command *c, const struct ctl_where *w);
/* The exit code of work that ended with err: 0, or 1 with what diag says on stderr. */
int ctl_end(const struct ctl_command *c, enum emt_err err, const struct emt_diag *diag);
/* Who runs the command, as audits name him: "emtctl:user". */
#define CTL_ACTOR_MAX 96
const char *ctl_actor(char out[CTL_ACTOR_MAX]);

#endif
