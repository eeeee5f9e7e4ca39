#include "ctl_mscons.h"

#include "base/error.h"
#include "base/file.h"
#include "base/writer.h"
#include "connectors/mscons_check.h"
#include "connectors/mscons_show.h"
#include "ctl_options.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A month of quarter hours of 500 places is about 100 MiB. */
#define FILE_LIMIT ((size_t)256 << 20)
#define JSON_LIMIT ((size_t)256 << 20)

static const char usage[] =
    "usage: emtctl mscons check [--name] FILE...\n"
    "       emtctl mscons show FILE\n"
    "\n"
    "check  judges MSCONS files by their content: syntax, structure and the rules of the use\n"
    "       case; the version is chosen by the date in UNB. CONTRL and APERAK files are judged\n"
    "       for their envelope. Findings go to stdout as FILE:SEGMENT: CODE: text (segments\n"
    "       count from 1 = UNB, 0 is the file as a whole), warnings to stderr.\n"
    "       --name  judges the file name too\n"
    "       exit code: 0 clean, 1 findings, 2 unreadable\n"
    "show   prints what a MSCONS, CONTRL or APERAK file holds, as JSON\n";

static const struct ctl_command me = { .name = "emtctl mscons", .usage = usage, .words = INT_MAX };

static bool read_file(const char *path, char **data, size_t *len)
{
    struct emt_diag diag = { 0 };
    enum emt_err err = file_read(path, FILE_LIMIT, data, len, &diag);

    if (err == EMT_OK)
        return true;
    fprintf(stderr, "%s: %s\n", path, diag.text[0] ? diag.text : emt_err_name(err));
    return false;
}

static void print_finding(void *ctx, const struct mscons_finding *f)
{
    const char *path = ctx;

    fprintf(f->warning ? stderr : stdout, "%s:%u: %s: %s%s\n", path, f->segment, f->code,
            f->warning ? "warning: " : "", f->text);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int check_file(char *path, bool name)
{
    struct mscons_findings out = { print_finding, path };
    struct mscons_check_result result;
    enum emt_err err;
    char *data;
    size_t len;

    if (!read_file(path, &data, &len))
        return 2;
    err = mscons_check(data, len, name ? base_name(path) : NULL, &out, &result);
    free(data);
    if (err == EMT_OK)
        return result.findings > 0 ? 1 : 0;
    fprintf(stderr, "%s: %s\n", path,
            len == 0                  ? "the file is empty"
            : err == EMT_EUNSUPPORTED ? "not an EDIFACT file (it begins with neither UNA nor UNB)"
                                      : emt_err_name(err));
    return 2;
}

static int check(int argc, char **argv)
{
    bool name = false;
    const struct ctl_option known[] = { { "--name", NULL, &name } };
    int files;
    int worst = ctl_options_read(&me, argc, argv, 2, known, 1, &files);

    if (worst != 0)
        return worst;
    if (files == 0)
        return ctl_wrong_usage(&me, "check: no file given", NULL);
    for (int i = 0; i < files; i++) {
        int code = check_file(argv[2 + i], name);

        worst = code > worst ? code : worst;
    }
    return worst;
}

static int show_file(const char *path)
{
    struct emt_diag diag = { 0 };
    struct writer out;
    enum emt_err err;
    char *data;
    size_t len;

    if (!read_file(path, &data, &len))
        return 2;
    writer_init_heap(&out, JSON_LIMIT);
    err = mscons_show(data, len, &out, &diag);
    if (len == 0)
        err = emt_fail(&diag, EMT_EMALFORMED, "the file is empty");
    free(data);
    if (err == EMT_OK && fwrite(out.data, 1, out.len, stdout) != out.len)
        err = emt_fail(&diag, EMT_EIO, "stdout cannot be written");
    if (err != EMT_OK)
        fprintf(stderr, "%s: %s\n", path, diag.text[0] ? diag.text : emt_err_name(err));
    writer_release(&out);
    return err == EMT_OK ? 0 : 2;
}

static int show(int argc, char **argv)
{
    int files;
    int code = ctl_options_read(&me, argc, argv, 2, NULL, 0, &files);

    if (code != 0)
        return code;
    return files == 1 ? show_file(argv[2]) : ctl_wrong_usage(&me, "show: exactly one file", NULL);
}

int ctl_mscons(int argc, char **argv)
{
    if (ctl_wants_help(argc, argv))
        return ctl_help(&me);
    if (argc < 2)
        return ctl_wrong_usage(&me, NULL, NULL);
    if (strcmp(argv[1], "check") == 0)
        return check(argc, argv);
    if (strcmp(argv[1], "show") == 0)
        return show(argc, argv);
    return ctl_wrong_usage(&me, "unknown verb ", argv[1]);
}
