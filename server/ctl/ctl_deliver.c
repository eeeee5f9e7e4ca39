#include "ctl_deliver.h"

#include "base/error.h"
#include "ctl_options.h"
#include "deliver_target.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char usage[] =
    "usage: emtctl deliver --to TARGET.yaml [--name NAME] [--type MEDIA-TYPE] [--again] FILE\n"
    "\n"
    "Brings FILE to the target and says what happened, as jobs do.\n"
    "  --to     the target: kind (local, sftp, ftp, ftps, ftps-implicit, https, mail), host, port,\n"
    "           path, user, password_file, private_key_file, host_key, ca_file, client_cert_file,\n"
    "           client_key_file, bearer_file, plain_allowed, mail (from, to, subject, ...);\n"
    "           docs/connectors/delivery.md has one example per kind\n"
    "  --name   name at the target (that of FILE)\n"
    "  --type   media type (application/octet-stream)\n"
    "  --again  an earlier try may have brought it: look for its name first\n"
    "exit: 0 delivered, 1 not delivered, 2 wrong usage or target\n";
static const struct ctl_command me = { .name = "emtctl deliver", .usage = usage, .words = 1 };

struct options {
    const char *to, *name, *type, *file;
    bool again;
};

/* 0, or the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
    const struct ctl_option known[] = {
        { "--to", &o->to, NULL },
        { "--name", &o->name, NULL },
        { "--type", &o->type, NULL },
        { "--again", NULL, &o->again },
    };
    int words;
    int code = ctl_options_read(&me, argc, argv, 1, known, sizeof known / sizeof known[0], &words);

    if (code != 0)
        return code;
    if (o->to == NULL || words == 0)
        return ctl_wrong_usage(&me, "--to and a file are needed", NULL);
    o->file = argv[1];
    return 0;
}

static enum emt_err read_some(void *ctx, void *buf, size_t n, size_t *got)
{
    *got = fread(buf, 1, n, ctx);
    return *got == 0 && ferror((FILE *)ctx) ? EMT_EIO : EMT_OK;
}

static enum emt_err begin_again(void *ctx)
{
    return fseek(ctx, 0, SEEK_SET) == 0 ? EMT_OK : EMT_EIO;
}

static int send(const struct options *o, const struct delivery_target *t, FILE *f)
{
    struct delivery_result result;
    struct stat st;
    char *path = strdup(o->file);

    if (path == NULL || fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)fprintf(stderr, "emtctl deliver: %s is no file\n", o->file);
        free(path);
        return 2;
    }
    struct delivery_file file = { .name = o->name != NULL ? o->name : basename(path),
                                  .media_type = o->type,
                                  .size = (uint64_t)st.st_size,
                                  .read = read_some,
                                  .rewind = begin_again,
                                  .ctx = f,
                                  .may_be_there = o->again };
    delivery_send(t, &file, &result);
    printf("%s: %s\n", delivery_outcome_name(result.outcome), result.text);
    free(path);
    return result.outcome == DELIVERY_DONE || result.outcome == DELIVERY_THERE ? 0 : 1;
}

int ctl_deliver(int argc, char **argv)
{
    struct options o = { .to = NULL };
    struct deliver_target target;
    struct emt_diag diag = { 0 };
    char text[512];

    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    int code = read_options(argc, argv, &o);
    if (code != 0)
        return code;
    if (deliver_target_load(o.to, &target, &diag) != EMT_OK ||
        delivery_check(&target.target, &diag) != EMT_OK) {
        if (diag.file[0] == '\0')
            snprintf(diag.file, sizeof diag.file, "%s", o.to);
        (void)fprintf(stderr, "emtctl deliver: %s\n", emt_diag_format(&diag, text, sizeof text));
        deliver_target_release(&target);
        return 2;
    }
    FILE *f = fopen(o.file, "rbe");
    if (f == NULL) {
        (void)fprintf(stderr, "emtctl deliver: %s cannot be read\n", o.file);
        code = 2;
    } else {
        code = send(&o, &target.target, f);
        (void)fclose(f);
    }
    deliver_target_release(&target);
    return code;
}
