#include "delivery_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static const char *const kind_names[] = {
    [DELIVERY_LOCAL] = "local", [DELIVERY_SFTP] = "sftp",
    [DELIVERY_FTP] = "ftp",     [DELIVERY_FTPS] = "ftps",
    [DELIVERY_HTTPS] = "https", [DELIVERY_FTPS_IMPLICIT] = "ftps-implicit",
    [DELIVERY_MAIL] = "mail",
};
static const char *const outcome_names[] = {
    [DELIVERY_DONE] = "delivered",  [DELIVERY_THERE] = "already-there", [DELIVERY_RETRY] = "retry",
    [DELIVERY_REFUSED] = "refused", [DELIVERY_UNKNOWN] = "unknown",
};

const char *delivery_kind_name(enum delivery_kind kind)
{
    return kind_names[kind];
}

bool delivery_kind_parse(const char *name, enum delivery_kind *out)
{
    for (size_t i = 0; i < sizeof kind_names / sizeof kind_names[0]; i++) {
        if (strcmp(kind_names[i], name) == 0) {
            *out = (enum delivery_kind)i;
            return true;
        }
    }
    return false;
}

const char *delivery_outcome_name(enum delivery_outcome outcome)
{
    return outcome_names[outcome];
}

void delivery_say(struct delivery_result *out, enum delivery_outcome outcome, const char *fmt, ...)
{
    va_list ap;

    out->outcome = outcome;
    va_start(ap, fmt);
    vsnprintf(out->text, sizeof out->text, fmt, ap);
    va_end(ap);
    /* A server's words may end with a line. */
    for (char *p = out->text; *p != '\0'; p++) {
        if (iscntrl((unsigned char)*p))
            *p = ' ';
    }
}

/* --- is it a target --- */

static enum emt_err wrong(struct emt_diag *diag, const char *key, const char *reason)
{
    if (diag != NULL)
        snprintf(diag->key, sizeof diag->key, "%s", key);
    return emt_fail(diag, EMT_EMALFORMED, "%s", reason);
}

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

/* Names of servers end in command lines of FTP and SFTP and in URLs: nothing that means something
 * there. */
static bool is_host(const char *host)
{
    size_t n = strnlen(host, 254);

    return n > 0 && n < 254 && host[0] != '-' &&
           strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:") == n;
}

static bool is_path(const char *path)
{
    size_t n = strnlen(path, 1001);

    if (n > 1000)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (iscntrl((unsigned char)path[i]) || strchr("\"\\*?[]#", path[i]) != NULL)
            return false;
    }
    return true;
}

static bool is_one_line(const char *text)
{
    for (; *text != '\0'; text++) {
        if (iscntrl((unsigned char)*text))
            return false;
    }
    return true;
}

static bool is_address(const char *text)
{
    const char *at = strchr(text, '@');

    return at != NULL && at != text && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
           strnlen(text, 255) < 255 && is_one_line(text) && strpbrk(text, " <>,;:\"()[]\\") == NULL;
}

static enum emt_err check_addresses(const char *key, const char *const *list, size_t *n,
                                    struct emt_diag *diag)
{
    for (; list != NULL && *list != NULL; list++) {
        if (!is_address(*list))
            return wrong(diag, key, "is no mail address");
        if (++*n > DELIVERY_ADDRESSES_MAX)
            return wrong(diag, key, "more than 50 addresses");
    }
    return EMT_OK;
}

static enum emt_err check_mail(const struct delivery_target *t, struct emt_diag *diag)
{
    const struct delivery_mail *m = t->mail;
    size_t n = 0;

    if (m == NULL || !is_set(m->from) || !is_address(m->from))
        return wrong(diag, "from", "a mail needs the address of its sender");
    if (m->to == NULL || m->to[0] == NULL)
        return wrong(diag, "to", "a mail needs a recipient");
    if (m->subject == NULL || !is_one_line(m->subject) || strnlen(m->subject, 201) > 200)
        return wrong(diag, "subject", "must be one line of at most 200 bytes");
    enum emt_err err = check_addresses("to", m->to, &n, diag);
    if (err == EMT_OK)
        err = check_addresses("cc", m->cc, &n, diag);
    return err == EMT_OK ? check_addresses("bcc", m->bcc, &n, diag) : err;
}

static enum emt_err check_sftp(const struct delivery_target *t, struct emt_diag *diag)
{
    if (!is_set(t->user))
        return wrong(diag, "user", "SFTP needs a user");
    if (!is_set(t->password) && !is_set(t->private_key))
        return wrong(diag, "password", "SFTP needs a password or a private key");
    if (!is_set(t->host_key) || strncmp(t->host_key, "SHA256:", 7) != 0 ||
        strnlen(t->host_key, 60) != 50)
        return wrong(diag, "host_key",
                     "must be SHA256: and 43 characters, as ssh-keygen -l prints a host key");
    return EMT_OK;
}

static enum emt_err check_remote(const struct delivery_target *t, struct emt_diag *diag)
{
    if (!delivery_has_network())
        return emt_fail(
            diag, EMT_EUNSUPPORTED,
            "this program was built without libcurl: only local folders are delivered to");
    if (!is_set(t->host) || !is_host(t->host))
        return wrong(diag, "host", "is no name or address of a server");
    if (is_set(t->user) && !is_one_line(t->user))
        return wrong(diag, "user", "holds a control character");
    /* In FTP and HTTP they end with the line: another one would be a command or a header. */
    if (is_set(t->password) && !is_one_line(t->password))
        return wrong(diag, "password", "holds a control character");
    if (is_set(t->bearer) && !is_one_line(t->bearer))
        return wrong(diag, "bearer", "holds a control character");
    if (is_set(t->client_pem) != is_set(t->client_key_pem))
        return wrong(diag, "client_key", "a client certificate and its key belong together");
    switch (t->kind) {
    case DELIVERY_SFTP:
        return check_sftp(t, diag);
    case DELIVERY_FTP:
        return t->plain_allowed
                   ? EMT_OK
                   : wrong(diag, "plain_allowed",
                           "FTP sends password and file unencrypted: allow it by name");
    case DELIVERY_HTTPS:
        return is_set(t->path) && t->path[0] == '/' ? EMT_OK
                                                    : wrong(diag, "path", "must begin with /");
    case DELIVERY_MAIL:
        return check_mail(t, diag);
    case DELIVERY_LOCAL:
    case DELIVERY_FTPS:
    case DELIVERY_FTPS_IMPLICIT:
        break;
    }
    return EMT_OK;
}

enum emt_err delivery_check(const struct delivery_target *t, struct emt_diag *diag)
{
    /* A URL's path may hold a query; a folder's may not hold what a server expands. */
    if (is_set(t->path) && (t->kind == DELIVERY_HTTPS ? !is_one_line(t->path) : !is_path(t->path)))
        return wrong(diag, "path", "holds a character that is not for a path");
    if (t->kind != DELIVERY_LOCAL)
        return check_remote(t, diag);
    return is_set(t->path) && t->path[0] == '/' ? EMT_OK : wrong(diag, "path", "must begin with /");
}

static bool is_name(const char *name)
{
    size_t n = name != NULL ? strnlen(name, DELIVERY_NAME_MAX + 1) : 0;

    return n > 0 && n <= DELIVERY_NAME_MAX && name[0] != '.' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

void delivery_send(const struct delivery_target *t, const struct delivery_file *file,
                   struct delivery_result *out)
{
    struct emt_diag diag = { 0 };

    *out = (struct delivery_result){ .outcome = DELIVERY_REFUSED };
    if (delivery_check(t, &diag) != EMT_OK) {
        delivery_say(out, DELIVERY_REFUSED, "%s%s%s", diag.key, diag.key[0] ? ": " : "", diag.text);
        return;
    }
    if (!is_name(file->name)) {
        delivery_say(out, DELIVERY_REFUSED,
                     "the file's name is not letters, digits and . _ - only");
        return;
    }
    if (file->rewind(file->ctx) != EMT_OK) {
        delivery_say(out, DELIVERY_RETRY, "the file cannot be read");
        return;
    }
    switch (t->kind) {
    case DELIVERY_LOCAL:
        delivery_local(t, file, out);
        break;
    case DELIVERY_SFTP:
    case DELIVERY_FTP:
    case DELIVERY_FTPS:
    case DELIVERY_FTPS_IMPLICIT:
        delivery_folder(t, file, out);
        break;
    case DELIVERY_HTTPS:
        delivery_https(t, file, out);
        break;
    case DELIVERY_MAIL:
        delivery_by_mail(t, file, out);
        break;
    }
}

/* --- bytes in memory --- */

static enum emt_err bytes_read(void *ctx, void *buf, size_t n, size_t *got)
{
    struct delivery_bytes *b = ctx;
    size_t left = b->len - b->pos;

    *got = n < left ? n : left;
    if (*got > 0)
        memcpy(buf, b->data + b->pos, *got);
    b->pos += *got;
    return EMT_OK;
}

static enum emt_err bytes_rewind(void *ctx)
{
    struct delivery_bytes *b = ctx;

    b->pos = 0;
    return EMT_OK;
}

struct delivery_file delivery_file_of(struct delivery_bytes *bytes)
{
    return (struct delivery_file){
        .size = bytes->len, .read = bytes_read, .rewind = bytes_rewind, .ctx = bytes
    };
}
