/* emtctl: the operator's command line. */
#include "ctl_acknowledge.h"
#include "ctl_audit.h"
#include "ctl_certificate.h"
#include "ctl_decode.h"
#include "ctl_deliver.h"
#include "ctl_export.h"
#include "ctl_location.h"
#include "ctl_market.h"
#include "ctl_mscons.h"
#include "ctl_tenant.h"
#include "ctl_user.h"

#include <stdio.h>
#include <string.h>

#ifndef EMT_VERSION
#define EMT_VERSION "unknown"
#endif

struct command {
    const char *name;
    const char *args;
    const char *what;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

static const struct command commands[] = {
    { "acknowledge", "--tenant KEY FILE...", "take partners' answers: CONTRL, APERAK",
      ctl_acknowledge },
    { "audit", "verify [--tenant KEY]", "check that no audit entry was changed", ctl_audit },
    { "certificate", "list | import | remove | crl ...", "certificates of others, EMT certificates",
      ctl_certificate },
    { "decode", "[--explain[=text]]", "decode telegrams: JSON lines in, JSON lines out",
      ctl_decode },
    { "deliver", "--to TARGET.yaml FILE", "bring a file to a target: SFTP, FTPS, HTTPS, mail",
      ctl_deliver },
    { "export", "mscons --tenant KEY --pid N ...", "write market messages from the database",
      ctl_export },
    { "location", "erase --tenant KEY ...", "erase what was measured at a location", ctl_location },
    { "market", "policy | partner ...", "what is agreed: gaps, sizes of files", ctl_market },
    { "mscons", "check [--name] FILE... | show FILE", "check or show MSCONS files", ctl_mscons },
    { "tenant", "export | import | delete ...", "move a tenant elsewhere, or remove it",
      ctl_tenant_command },
    { "user", "reset NAME", "a one-time password for an operator who lost his", ctl_user },
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static void put_usage(FILE *out)
{
    (void)fprintf(out, "usage: emtctl COMMAND [ARGUMENTS]\n"
                       "       emtctl --help | --version\n\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-11s %-34s %s\n", commands[i].name, commands[i].args,
                      commands[i].what);
    (void)fprintf(out, "\nexit: 0 done, 1 the work failed, 2 wrong usage\n");
}

/* Whoever asks for help anywhere gets the command's help, and nothing else happens. */
static int run(const struct command *c, int argc, char **argv)
{
    char help[] = "--help";
    char *instead[] = { argv[0], help, NULL };

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return c->run(2, instead);
    }
    return c->run(argc, argv);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        put_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        put_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("emtctl %s\n", EMT_VERSION);
        return 0;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&commands[i], argc - 1, argv + 1);
    (void)fprintf(stderr, "emtctl: no command \"%s\"; see emtctl --help\n", argv[1]);
    return 2;
}
