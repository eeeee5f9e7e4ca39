/* SFTP and FTP(S): the file goes up as ".NAME.part" and gets its name when it is complete. A file
 * that has the name already is never replaced: with may_be_there it is the one of an earlier try.
 */
#include "delivery_curl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PATH_MAX_BYTES 1300
#define LIST_LIMIT (16u << 20)

static bool is_sftp(const struct transfer *x)
{
    return x->target->kind == DELIVERY_SFTP;
}

static const char *protocol_of(const struct delivery_target *t)
{
    switch (t->kind) {
    case DELIVERY_SFTP:
        return "sftp";
    case DELIVERY_FTPS_IMPLICIT:
        return "ftps";
    default:
        return "ftp";
    }
}

/* Folder and name as the URL wants them: SFTP begins below the home with "/~/", FTP is there anyhow
 * and marks the root with a second slash. */
static void url_path(const struct delivery_target *t, const char *name, char out[PATH_MAX_BYTES])
{
    const char *folder = t->path != NULL ? t->path : "";
    bool absolute = folder[0] == '/';
    size_t n = strlen(folder);
    const char *slash = n > 0 && folder[n - 1] != '/' ? "/" : "";

    snprintf(out, PATH_MAX_BYTES, "%s%s%s%s",
             t->kind == DELIVERY_SFTP ? (absolute ? "" : "/~/") : "/", folder, slash, name);
}

/* The same as the server's own commands want them: below the home without any mark. */
static void command_path(const struct delivery_target *t, const char *prefix, const char *name,
                         const char *suffix, char out[PATH_MAX_BYTES])
{
    const char *folder = t->path != NULL ? t->path : "";
    size_t n = strlen(folder);
    const char *slash = n > 0 && folder[n - 1] != '/' ? "/" : "";

    snprintf(out, PATH_MAX_BYTES, "%s%s%s%s%s", folder, slash, prefix, name, suffix);
}

static void set_ftp(struct transfer *x)
{
    if (is_sftp(x))
        return;
    curl_easy_setopt(x->curl, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_NOCWD);
    if (x->target->kind != DELIVERY_FTP)
        curl_easy_setopt(x->curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    /* The address in a passive answer may be a private one behind a NAT, or somebody else's. */
    curl_easy_setopt(x->curl, CURLOPT_FTP_SKIP_PASV_IP, 1L);
}

/* --- is it there? --- */

struct listing {
    char *text;
    size_t len;
    bool too_long;
};

static size_t keep_listing(char *data, size_t size, size_t n, void *ctx)
{
    struct listing *l = ctx;
    size_t len = size * n;

    if (len > LIST_LIMIT - l->len) {
        l->too_long = true;
        return 0;
    }
    char *text = realloc(l->text, l->len + len + 1);
    if (text == NULL)
        return 0;
    memcpy(text + l->len, data, len);
    l->text = text;
    l->len += len;
    text[l->len] = '\0';
    return len;
}

static bool has_name(const struct listing *l, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = l->text; p != NULL && *p != '\0';) {
        size_t line = strcspn(p, "\r\n");
        const char *end = p + line;
        const char *base = end;

        /* Some servers answer with the folder in front. */
        while (base > p && base[-1] != '/')
            base--;
        if ((size_t)(end - base) == n && memcmp(base, name, n) == 0)
            return true;
        p = end + strspn(end, "\r\n");
    }
    return false;
}

/* Whether the folder holds the name; false with *known false: it cannot be told, the result says
 * why. */
static bool look(const struct delivery_target *t, const char *name, struct delivery_result *out,
                 bool *known)
{
    struct listing l = { 0 };
    struct transfer x;
    char path[PATH_MAX_BYTES];
    bool there = false;

    *known = false;
    url_path(t, "", path);
    if (transfer_begin(&x, t, NULL, out, protocol_of(t), path)) {
        set_ftp(&x);
        curl_easy_setopt(x.curl, CURLOPT_DIRLISTONLY, 1L);
        curl_easy_setopt(x.curl, CURLOPT_WRITEFUNCTION, keep_listing);
        curl_easy_setopt(x.curl, CURLOPT_WRITEDATA, &l);
        CURLcode code = transfer_run(&x, false);
        /* Several FTP servers answer 450 or 550 to the listing of an empty folder. */
        *known =
            code == CURLE_OK || (!is_sftp(&x) && code == CURLE_REMOTE_FILE_NOT_FOUND) ||
            (code == CURLE_FTP_COULDNT_RETR_FILE && (out->answer == 450 || out->answer == 550));
        there = *known && has_name(&l, name);
        if (l.too_long)
            delivery_say(out, DELIVERY_REFUSED, "the folder of %.100s is too full to look into",
                         t->host);
    }
    transfer_end(&x);
    free(l.text);
    return there;
}

/* --- up, and its name --- */

static struct curl_slist *renaming(const struct transfer *x, const char *name)
{
    char from[PATH_MAX_BYTES];
    char to[PATH_MAX_BYTES];
    char line[2 * PATH_MAX_BYTES + 16];
    struct curl_slist *list = NULL;

    command_path(x->target, ".", name, ".part", from);
    command_path(x->target, "", name, "", to);
    if (is_sftp(x)) {
        snprintf(line, sizeof line, "rename \"%s\" \"%s\"", from, to);
        return curl_slist_append(NULL, line);
    }
    snprintf(line, sizeof line, "RNFR %s", from);
    list = curl_slist_append(NULL, line);
    snprintf(line, sizeof line, "RNTO %s", to);
    return list != NULL ? curl_slist_append(list, line) : NULL;
}

static void put(const struct delivery_target *t, const struct delivery_file *file,
                struct delivery_result *out)
{
    struct curl_slist *after = NULL;
    struct transfer x;
    char part[DELIVERY_NAME_MAX + 8];
    char path[PATH_MAX_BYTES];

    snprintf(part, sizeof part, ".%s.part", file->name);
    url_path(t, part, path);
    if (transfer_begin(&x, t, file, out, protocol_of(t), path)) {
        set_ftp(&x);
        transfer_upload(&x);
        after = renaming(&x, file->name);
        curl_easy_setopt(x.curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(x.curl, CURLOPT_POSTQUOTE, after);
        CURLcode code = transfer_run(&x, false);
        if (code == CURLE_OK && out->bytes != file->size)
            delivery_say(out, DELIVERY_RETRY, "the file ended after %llu of %llu bytes",
                         (unsigned long long)out->bytes, (unsigned long long)file->size);
        else if (code == CURLE_OK)
            delivery_say(out, DELIVERY_DONE, "%s on %.100s", file->name, t->host);
        else if (code == CURLE_QUOTE_ERROR)
            delivery_say(out, DELIVERY_REFUSED,
                         "%.60s took the file but not its name %.100s: %.100s", t->host, file->name,
                         x.error);
    }
    transfer_end(&x);
    curl_slist_free_all(after);
}

void delivery_folder(const struct delivery_target *t, const struct delivery_file *file,
                     struct delivery_result *out)
{
    bool known = false;
    bool there = look(t, file->name, out, &known);

    if (!known)
        return;
    if (there && file->may_be_there)
        delivery_say(out, DELIVERY_THERE, "%s was on %.100s already", file->name, t->host);
    else if (there)
        delivery_say(out, DELIVERY_REFUSED, "%s exists on %.100s and is another file", file->name,
                     t->host);
    else
        put(t, file, out);
}
