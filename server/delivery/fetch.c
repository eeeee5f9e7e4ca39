#include "delivery/fetch.h"

#include "delivery_curl.h"

#include <string.h>
#include <sys/socket.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define URL_MAX 1000

struct fetch {
    const struct fetch_settings *s;
    CURL *curl;
    struct writer *out;
    size_t got;
    bool too_long, private_address;
    char error[CURL_ERROR_SIZE];
};

enum emt_err fetch_check(const char *url, struct emt_diag *diag)
{
    CURLU *u = curl_url();
    char *scheme = NULL;
    char *user = NULL;
    enum emt_err err = EMT_OK;

    if (!u)
        return EMT_ENOMEM;
    if (strlen(url) > URL_MAX || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        err = emt_fail(diag, EMT_EMALFORMED, "an address like http://host/path is expected");
    else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
        err = emt_fail(diag, EMT_EMALFORMED, "no user names in this address");
    curl_free(scheme);
    curl_free(user);
    curl_url_cleanup(u);
    return err;
}

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
    struct fetch *f = ctx;

    if (size * n > f->s->most - f->got) {
        f->too_long = true;
        return 0;
    }
    f->got += size * n;
    return writer_bytes(f->out, data, size * n) ? size * n : 0;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct fetch *f = ctx;

    (void)purpose;
    if (f->s->public_only && delivery_is_private(&a->addr)) {
        f->private_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int still_alive(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct fetch *f = ctx;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return f->s->alive && !f->s->alive(f->s->alive_ctx);
}

static bool set_up(struct fetch *f)
{
    CURL *c = f->curl;
    long seconds = (long)f->s->seconds;

    return curl_easy_setopt(c, CURLOPT_URL, f->s->url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT, seconds) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, seconds) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->error) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, f) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, still_alive) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFODATA, f) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, f) == CURLE_OK;
}

static enum emt_err judge(struct fetch *f, CURLcode code, struct emt_diag *diag)
{
    long status = 0;

    if (f->private_address)
        return emt_fail(diag, EMT_ESTATE,
                        "an address of this machine or of a private network, which the operator "
                        "does not allow (delivery.private_networks)");
    if (f->too_long)
        return emt_fail(diag, EMT_ELIMIT, "the answer is longer than %zu bytes", f->s->most);
    if (code != CURLE_OK)
        return emt_fail(diag, EMT_EIO, "%s", f->error[0] ? f->error : curl_easy_strerror(code));
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? EMT_OK : emt_fail(diag, EMT_ESTATE, "the server answered %ld", status);
}

enum emt_err fetch_url(const struct fetch_settings *s, struct writer *out, struct emt_diag *diag)
{
    struct fetch f = { .s = s, .out = out };
    enum emt_err err = fetch_check(s->url, diag);

    if (err != EMT_OK)
        return err;
    f.curl = curl_easy_init();
    if (!f.curl || !set_up(&f))
        err = emt_fail(diag, EMT_ENOMEM, "libcurl does not take the settings");
    else
        err = judge(&f, curl_easy_perform(f.curl), diag);
    curl_easy_cleanup(f.curl);
    return err;
}
