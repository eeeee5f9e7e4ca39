#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

const char *emt_err_name(enum emt_err err)
{
    switch (err) {
    case EMT_OK:
        return "ok";
    case EMT_EAGAIN:
        return "again";
    case EMT_ETRUNCATED:
        return "truncated";
    case EMT_EMALFORMED:
        return "malformed";
    case EMT_EUNSUPPORTED:
        return "unsupported";
    case EMT_EAUTH:
        return "auth";
    case EMT_ENOTFOUND:
        return "not-found";
    case EMT_ECONFLICT:
        return "conflict";
    case EMT_ELIMIT:
        return "limit";
    case EMT_ESTATE:
        return "state";
    case EMT_ENOMEM:
        return "no-memory";
    case EMT_EDB:
        return "database";
    case EMT_EIO:
        return "io";
    case EMT_EINTERNAL:
        return "internal";
    }
    return "unknown";
}

enum emt_err emt_fail(struct emt_diag *diag, enum emt_err err, const char *fmt, ...)
{
    if (diag) {
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(diag->text, sizeof diag->text, fmt, args);
        va_end(args);
    }
    return err;
}

const char *emt_diag_format(const struct emt_diag *diag, char *buf, size_t size)
{
    char where[24] = "";

    if (size == 0)
        return buf;
    if (diag->line)
        (void)snprintf(where, sizeof where, "%s%u", diag->file[0] ? ":" : "line ", diag->line);
    (void)snprintf(buf, size, "%s%s%s%s%s%s", diag->file, where,
                   diag->file[0] || diag->line ? ": " : "", diag->key, diag->key[0] ? ": " : "",
                   diag->text);
    return buf;
}
