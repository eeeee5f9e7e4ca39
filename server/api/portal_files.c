#define _GNU_SOURCE /* memmem() */
/* A set of files never changes: a reload makes a new one and lets the old one go when its last
 * answer is out. */
#include "api/portal_files.h"

#include "base/cipher.h"
#include "base/hex.h"
#include "base/writer.h"
#include "http/http_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define ETAG_HEX 32
#define NONCE_MARK "__CSP_NONCE__"
#define NONCE_BYTES 16
#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for a gzip frame */
#define GZIP_LEAST 512u       /* smaller files gain nothing */

struct file {
    char *path; /* "/assets/x.js" */
    const char *type;
    uint8_t *data;
    size_t len;
    uint8_t *gzip; /* NULL where it does not pay */
    size_t gzip_len;
    char etag[ETAG_HEX + 1];
    bool hashed; /* its name changes with its content */
};

struct file_set {
    unsigned refs; /* under portal_files.lock */
    struct file *file;
    size_t n;
    size_t bytes;
    const struct file *index;
};

struct portal_files {
    char *dir; /* NULL without */
    pthread_mutex_t lock;
    struct file_set *set; /* NULL: nothing is built */
};

struct type {
    const char *extension, *type;
    bool text; /* compressed */
};

static const struct type types[] = {
    { "html", "text/html; charset=utf-8", true },
    { "js", "text/javascript; charset=utf-8", true },
    { "css", "text/css; charset=utf-8", true },
    { "json", "application/json", true },
    { "map", "application/json", true },
    { "webmanifest", "application/manifest+json", true },
    { "svg", "image/svg+xml", true },
    { "txt", "text/plain; charset=utf-8", true },
    { "ico", "image/x-icon", true },
    { "png", "image/png", false },
    { "webp", "image/webp", false },
    { "woff2", "font/woff2", false },
};

static const char not_built[] =
    "EMT Platform: the portal is not built here.\n"
    "\n"
    "In the source tree:  cmake --build build/release --target portal   (needs nodejs and npm)\n"
    "Then send emtd a HUP, or start it again. REST is at /api/v1, its document at "
    "/api/v1/openapi.yaml.\n";

/* --- reading --- */

static void set_free(struct file_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->n; i++) {
        free(set->file[i].path);
        free(set->file[i].data);
        free(set->file[i].gzip);
    }
    free(set->file);
    free(set);
}

static const struct type *type_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(dot + 1, types[i].extension) == 0)
            return &types[i];
    }
    return NULL;
}

/* The bundler's names: /assets/NAME-HASH.EXTENSION with a hash of eight characters or more. */
static bool is_hashed(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    const char *dot = strchr(name, '.');
    size_t len = dot ? (size_t)(dot - name) : 0;

    if (strncmp(path, "/assets/", 8) != 0 || len < 10)
        return false;
    for (size_t i = 0; i + 8 < len; i++) {
        if (name[i] == '-')
            return true;
    }
    return false;
}

static bool compress_into(struct file *f)
{
    z_stream z = { 0 };

    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return false;
    uLong bound = deflateBound(&z, (uLong)f->len);
    uint8_t *out = malloc(bound);
    bool ok = out != NULL;

    if (ok) {
        z.next_in = f->data;
        z.avail_in = (uInt)f->len; /* at most PORTAL_FILE_BYTES_MAX */
        z.next_out = out;
        z.avail_out = (uInt)bound;
        ok = deflate(&z, Z_FINISH) == Z_STREAM_END;
    }
    if (ok && z.total_out < f->len - f->len / 10) {
        f->gzip = out;
        f->gzip_len = z.total_out;
        out = NULL;
    }
    free(out);
    deflateEnd(&z);
    return ok;
}

/* Takes over data. */
static enum emt_err add_file(struct file_set *set, const char *path, uint8_t *data, size_t len)
{
    uint8_t hash[32];
    const struct type *type = type_of(path);
    struct file f = { .path = strdup(path),
                      .type = type ? type->type : "application/octet-stream",
                      .data = data,
                      .len = len,
                      .hashed = is_hashed(path) };

    cipher_sha256(data, len, hash);
    hex_encode(hash, ETAG_HEX / 2, f.etag);
    bool ok = f.path && (!type || !type->text || len < GZIP_LEAST || compress_into(&f));
    struct file *grown = ok ? realloc(set->file, (set->n + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(f.path);
        free(f.gzip);
        free(data);
        return EMT_ENOMEM;
    }
    set->file = grown;
    set->file[set->n++] = f;
    set->bytes += len;
    return EMT_OK;
}

static enum emt_err read_whole(int fd, uint8_t **out, size_t *len)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return EMT_EIO;
    if (st.st_size < 0 || (uint64_t)st.st_size > PORTAL_FILE_BYTES_MAX)
        return EMT_ELIMIT;
    size_t size = (size_t)st.st_size, at = 0;
    uint8_t *data = malloc(size + 1);
    if (!data)
        return EMT_ENOMEM;
    while (at < size) {
        ssize_t n = read(fd, data + at, size - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) { /* also a file that became shorter meanwhile */
            free(data);
            return EMT_EIO;
        }
        at += (size_t)n;
    }
    *out = data;
    *len = size;
    return EMT_OK;
}

static enum emt_err read_file(struct file_set *set, int fd, const char *path, struct emt_diag *diag)
{
    uint8_t *data = NULL;
    size_t len = 0;
    enum emt_err err = set->n < PORTAL_FILES_MAX ? read_whole(fd, &data, &len) : EMT_ELIMIT;

    if (err == EMT_OK && set->bytes + len > PORTAL_BYTES_MAX) {
        free(data);
        err = EMT_ELIMIT;
    }
    if (err == EMT_OK)
        err = add_file(set, path, data, len);
    if (err == EMT_ELIMIT)
        return emt_fail(diag, err, "portal: %s: too large or too many files", path);
    return err == EMT_OK ? err : emt_fail(diag, err, "portal: %s: cannot be read", path);
}

static enum emt_err read_folder(struct file_set *set, int fd, const char *prefix, unsigned depth,
                                struct emt_diag *diag);

/* One name of a folder. */
static enum emt_err read_entry(struct file_set *set, int folder, const char *prefix,
                               const char *name, unsigned depth, struct emt_diag *diag)
{
    char path[PORTAL_PATH_MAX];
    struct stat st;

    if (name[0] == '.')
        return EMT_OK;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", prefix, name) >= sizeof path)
        return emt_fail(diag, EMT_ELIMIT, "portal: %s/%.40s: the path is too long", prefix, name);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP) /* a symbolic link */
        return EMT_OK;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            close(fd);
        return emt_fail(diag, EMT_EIO, "portal: %s: %s", path, strerror(errno));
    }
    if (S_ISDIR(st.st_mode))
        return read_folder(set, fd, path, depth + 1, diag);
    enum emt_err err = S_ISREG(st.st_mode) ? read_file(set, fd, path, diag) : EMT_OK;
    close(fd);
    return err;
}

/* Takes over fd. */
static enum emt_err read_folder(struct file_set *set, int fd, const char *prefix, unsigned depth,
                                struct emt_diag *diag)
{
    DIR *d = depth <= PORTAL_DEPTH_MAX ? fdopendir(fd) : NULL;
    enum emt_err err = EMT_OK;

    if (!d) {
        close(fd);
        return emt_fail(diag, depth > PORTAL_DEPTH_MAX ? EMT_ELIMIT : EMT_EIO,
                        "portal: %s: too deep, or cannot be read", prefix);
    }
    for (struct dirent *e; err == EMT_OK && (e = readdir(d)) != NULL;)
        err = read_entry(set, dirfd(d), prefix, e->d_name, depth, diag);
    closedir(d);
    return err;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static const struct file *find(const struct file_set *set, const char *path)
{
    const struct file key = { .path = (char *)(uintptr_t)path };

    return bsearch(&key, set->file, set->n, sizeof key, by_path);
}

/* *out is NULL where the folder is not there. */
static enum emt_err set_read(const char *dir, struct file_set **out, struct emt_diag *diag)
{
    int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    *out = NULL;
    if (!dir || (fd < 0 && errno == ENOENT))
        return EMT_OK;
    if (fd < 0)
        return emt_fail(diag, EMT_EIO, "portal: %s: %s", dir, strerror(errno));
    struct file_set *set = calloc(1, sizeof *set);
    if (!set) {
        close(fd);
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    }
    enum emt_err err = read_folder(set, fd, "", 0, diag);
    if (err == EMT_OK && set->n > 0) {
        qsort(set->file, set->n, sizeof *set->file, by_path);
        set->index = find(set, "/index.html");
    }
    if (err == EMT_OK && !set->index)
        err = emt_fail(diag, EMT_EMALFORMED, "portal: %s: there is no index.html", dir);
    if (err != EMT_OK) {
        set_free(set);
        return err;
    }
    set->refs = 1;
    *out = set;
    return EMT_OK;
}

/* --- sets in use --- */

static struct file_set *set_hold(struct portal_files *p)
{
    pthread_mutex_lock(&p->lock);
    struct file_set *set = p->set;
    if (set)
        set->refs++;
    pthread_mutex_unlock(&p->lock);
    return set;
}

static void set_drop(struct portal_files *p, struct file_set *set)
{
    if (!set)
        return;
    pthread_mutex_lock(&p->lock);
    bool last = --set->refs == 0;
    pthread_mutex_unlock(&p->lock);
    if (last)
        set_free(set);
}

enum emt_err portal_files_new(const char *dir, struct portal_files **out, struct emt_diag *diag)
{
    struct portal_files *p = calloc(1, sizeof *p);
    enum emt_err err;

    if (!p)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    pthread_mutex_init(&p->lock, NULL);
    if (dir && !(p->dir = strdup(dir)))
        err = emt_fail(diag, EMT_ENOMEM, "out of memory");
    else
        err = set_read(dir, &p->set, diag);
    if (err != EMT_OK) {
        portal_files_free(p);
        return err;
    }
    *out = p;
    return EMT_OK;
}

void portal_files_free(struct portal_files *p)
{
    if (!p)
        return;
    set_free(p->set);
    pthread_mutex_destroy(&p->lock);
    free(p->dir);
    free(p);
}

enum emt_err portal_files_reload(struct portal_files *p, struct emt_diag *diag)
{
    struct file_set *set = NULL;
    enum emt_err err = set_read(p->dir, &set, diag);

    if (err != EMT_OK)
        return err;
    pthread_mutex_lock(&p->lock);
    struct file_set *old = p->set;
    p->set = set;
    pthread_mutex_unlock(&p->lock);
    set_drop(p, old);
    return EMT_OK;
}

size_t portal_files_count(struct portal_files *p)
{
    struct file_set *set = set_hold(p);
    size_t n = set ? set->n : 0;

    set_drop(p, set);
    return n;
}

/* --- answering --- */

static bool is_below(const char *path, const char *top)
{
    size_t n = strlen(top);

    return strncmp(path, top, n) == 0 && (path[n] == 0 || path[n] == '/');
}

bool portal_files_takes(const char *path)
{
    return !is_below(path, "/api") && !is_below(path, "/healthz");
}

/* A route of the portal itself. Names of gateways hold dots, so below /t/ a dot says nothing unless
 * a name begins with it. */
static bool is_route(const char *path)
{
    if (strstr(path, "/.") || strchr(path, '\\'))
        return false;
    return strncmp(path, "/t/", 3) == 0 || !strchr(path, '.');
}

/* RFC 9110, 12.5.3: gzip or * with a weight above 0; the name before the star. */
static bool accepts_gzip(const char *text)
{
    int named = -1, any = -1;

    for (const char *p = text; p && *p; p += *p == ',') {
        p += strspn(p, " \t");
        size_t len = strcspn(p, ",");
        size_t name = strcspn(p, ";, \t");
        const char *q = memchr(p, '=', len);
        int yes = !q || strspn(q + 1, "0.") < strcspn(q + 1, ", \t;");

        if (name == 4 && strncasecmp(p, "gzip", 4) == 0)
            named = yes;
        else if (name == 1 && *p == '*')
            any = yes;
        p += len;
    }
    return named >= 0 ? named : any > 0;
}

/* RFC 9110, 13.1.2: weak comparison with each of the list. */
static bool matches(const char *list, const char *etag)
{
    size_t n = strlen(etag);

    for (const char *p = list; p && *p; p += *p == ',') {
        p += strspn(p, " \t");
        size_t len = strcspn(p, ",");
        const char *tag = strncmp(p, "W/", 2) == 0 ? p + 2 : p;

        if ((*p == '*' && strcspn(p + 1, " \t,") == 0) || strncmp(tag, etag, n) == 0)
            return true;
        p += len;
    }
    return false;
}

struct header {
    const char *name, *value;
};

static enum emt_err put_headers(struct http_response *out, const struct header *h, size_t n)
{
    enum emt_err err = EMT_OK;

    for (size_t i = 0; i < n && err == EMT_OK; i++)
        err = http_response_header(out, h[i].name, h[i].value);
    return err;
}

static enum emt_err common(struct http_response *out, const char *policy, const char *cache)
{
    const struct header h[] = {
        { "Content-Security-Policy", policy },
        { "Cache-Control", cache },
        { "X-Content-Type-Options", "nosniff" },
        { "Strict-Transport-Security", "max-age=31536000" },
        { "Referrer-Policy", "same-origin" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
    };

    return put_headers(out, h, sizeof h / sizeof h[0]);
}

#define POLICY_NONE "default-src 'none'; frame-ancestors 'none'"

static enum emt_err answer_text(struct http_response *out, unsigned status, const char *text)
{
    const struct header h = { "Content-Type", "text/plain; charset=utf-8" };
    enum emt_err err = common(out, POLICY_NONE, "no-store");

    http_response_status(out, status);
    writer_text(http_response_body(out), text);
    return err == EMT_OK ? put_headers(out, &h, 1) : err;
}

/* Not cached: its nonce is good for this answer alone. */
static enum emt_err answer_index(const struct file *f, struct http_response *out)
{
    struct writer *body = http_response_body(out);
    const struct header h = { "Content-Type", f->type };
    uint8_t random[NONCE_BYTES];
    char nonce[2 * NONCE_BYTES + 1], policy[400];
    const uint8_t *at = f->data, *end = f->data + f->len, *mark;
    enum emt_err err = cipher_random(random, sizeof random);

    if (err != EMT_OK)
        return err;
    hex_encode(random, sizeof random, nonce);
    snprintf(policy, sizeof policy,
             "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; img-src 'self' "
             "data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
             "frame-ancestors 'none'",
             nonce);
    while ((mark = memmem(at, (size_t)(end - at), NONCE_MARK, strlen(NONCE_MARK))) != NULL) {
        writer_bytes(body, at, (size_t)(mark - at));
        writer_text(body, nonce);
        at = mark + strlen(NONCE_MARK);
    }
    writer_bytes(body, at, (size_t)(end - at));
    http_response_status(out, 200);
    err = common(out, policy, "no-store");
    return err == EMT_OK ? put_headers(out, &h, 1) : err;
}

static enum emt_err answer_file(const struct file *f, const struct http_request *req,
                                struct http_response *out, unsigned *status)
{
    bool gzip = f->gzip && accepts_gzip(http_request_header(req, "Accept-Encoding"));
    char etag[ETAG_HEX + 8];
    struct header h[4];
    size_t n = 0;

    snprintf(etag, sizeof etag, "\"%s%s\"", f->etag, gzip ? "-gz" : "");
    h[n++] = (struct header){ "ETag", etag };
    if (f->gzip)
        h[n++] = (struct header){ "Vary", "Accept-Encoding" };
    *status = matches(http_request_header(req, "If-None-Match"), etag) ? 304 : 200;
    if (*status == 200) {
        h[n++] = (struct header){ "Content-Type", f->type };
        if (gzip)
            h[n++] = (struct header){ "Content-Encoding", "gzip" };
        writer_bytes(http_response_body(out), gzip ? f->gzip : f->data,
                     gzip ? f->gzip_len : f->len);
    }
    http_response_status(out, *status);
    enum emt_err err = common(
        out, POLICY_NONE, f->hashed ? "public, max-age=31536000, immutable" : "public, no-cache");
    return err == EMT_OK ? put_headers(out, h, n) : err;
}

enum emt_err portal_files_answer(struct portal_files *p, const struct http_request *req,
                                 struct http_response *out, unsigned *status)
{
    const char *path = http_request_path(req);
    enum http_method method = http_request_method(req);
    struct file_set *set = set_hold(p);
    const struct file *f = set ? find(set, path) : NULL;
    bool index = set && (f == set->index || (!f && is_route(path)));
    enum emt_err err;

    if (method != HTTP_GET && method != HTTP_HEAD) {
        *status = index || f ? 405 : 404;
        err = *status == 405 ? http_response_header(out, "Allow", "GET, HEAD") : EMT_OK;
        if (err == EMT_OK)
            err = answer_text(out, *status, "This can only be read.\n");
    } else if (index) {
        *status = 200;
        err = answer_index(set->index, out);
    } else if (f) {
        err = answer_file(f, req, out, status);
    } else {
        *status = 404;
        err = answer_text(out, 404,
                          set || strcmp(path, "/") != 0 ? "There is nothing here.\n" : not_built);
    }
    set_drop(p, set);
    return err;
}
