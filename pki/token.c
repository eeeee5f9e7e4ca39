#include "token.h"

#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
/* Engines are deprecated in favour of providers, and there is no provider for tokens yet. */
#define OPENSSL_SUPPRESS_DEPRECATED
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <openssl/engine.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { URI_MAX = 1000, PATH_LEN = 512, PIN_MAX = 256 };

static const char scheme[] = "pkcs11:";

/* A module is initialised once for a process and ends for all of its users at once, so the engine
 * stands for as long as the process does. Known exception to "no globals". */
static struct {
    pthread_mutex_t mutex;
    ENGINE *engine;
    char module[PATH_LEN];
} shared = { .mutex = PTHREAD_MUTEX_INITIALIZER };

bool token_is_uri(const char *text, size_t n)
{
    return n >= sizeof scheme - 1 && memcmp(text, scheme, sizeof scheme - 1) == 0;
}

/* The parts of a URI that the engine does not read itself. */
struct token_uri {
    char key[URI_MAX + 1]; /* up to the query */
    char module[PATH_LEN], pin_file[PATH_LEN];
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent decoding (RFC 3986, 2.1). False: broken, or too long. */
static bool decode(const char *from, size_t n, char out[PATH_LEN])
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        char c = from[i];

        if (c == '%') {
            int high = i + 2 < n ? hex_digit(from[i + 1]) : -1;
            int low = i + 2 < n ? hex_digit(from[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == 0 || at + 1 >= PATH_LEN)
            return false;
        out[at++] = c;
    }
    out[at] = 0;
    return at > 0;
}

/* One attribute of the query, "name=value". */
static bool read_attribute(const char *text, size_t n, struct token_uri *out)
{
    static const char module[] = "module-path=", pin[] = "pin-source=", file[] = "file:";
    size_t skip;

    if (n > sizeof module - 1 && memcmp(text, module, sizeof module - 1) == 0)
        return decode(text + sizeof module - 1, n - (sizeof module - 1), out->module);
    if (n <= sizeof pin - 1 || memcmp(text, pin, sizeof pin - 1) != 0)
        return false;
    skip = sizeof pin - 1;
    if (n > skip + sizeof file - 1 && memcmp(text + skip, file, sizeof file - 1) == 0)
        skip += sizeof file - 1;
    return decode(text + skip, n - skip, out->pin_file) && out->pin_file[0] == '/';
}

static enum emt_err parse(const char *uri, size_t n, struct token_uri *out, struct emt_diag *diag)
{
    const char *end = uri + n;
    const char *query = memchr(uri, '?', n);
    size_t len = query ? (size_t)(query - uri) : n;

    *out = (struct token_uri){ .module = "" };
    if (n > URI_MAX || memchr(uri, 0, n))
        return emt_fail(diag, EMT_EMALFORMED, "pkcs11: URI longer than %d characters", URI_MAX);
    memcpy(out->key, uri, len);
    out->key[len] = 0;
    for (const char *p = query ? query + 1 : end; p < end;) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        size_t part = (size_t)((stop ? stop : end) - p);

        if (!read_attribute(p, part, out))
            return emt_fail(diag, EMT_EMALFORMED,
                            "pkcs11: after '?' stand module-path=… and pin-source=file:/…");
        p += part + 1;
    }
    if (!out->module[0] || !out->pin_file[0])
        return emt_fail(diag, EMT_EMALFORMED,
                        "pkcs11: module-path and pin-source are needed: "
                        "pkcs11:token=…;object=…?module-path=/…&pin-source=file:/…");
    return EMT_OK;
}

/* One line. */
static enum emt_err read_pin(const char *path, char pin[PIN_MAX + 1], struct emt_diag *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    ssize_t n;

    if (fd < 0)
        return emt_fail(diag, EMT_EIO, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        close(fd);
        return emt_fail(diag, EMT_EAUTH, "%s: must be a file that only its owner may read (0600)",
                        path);
    }
    n = read(fd, pin, PIN_MAX);
    close(fd);
    if (n <= 0)
        return emt_fail(diag, EMT_EIO, "%s: no PIN in it", path);
    pin[n] = 0;
    pin[strcspn(pin, "\r\n")] = 0;
    return EMT_OK;
}

/* With the mutex held. */
static enum emt_err open_engine(const char *module, struct emt_diag *diag)
{
    if (shared.engine)
        return strcmp(module, shared.module) == 0
                   ? EMT_OK
                   : emt_fail(diag, EMT_EUNSUPPORTED,
                              "pkcs11: all keys are in tokens of one module, %s", shared.module);
    /* The engine loads it with the first key only, and says little then. */
    if (access(module, R_OK) != 0)
        return emt_fail(diag, EMT_EIO, "pkcs11: the module %s: %s", module, strerror(errno));
    ENGINE_load_dynamic();
    ENGINE *e = ENGINE_by_id("pkcs11");
    if (!e) {
        ERR_clear_error();
        return emt_fail(diag, EMT_EUNSUPPORTED,
                        "pkcs11: the package libengine-pkcs11-openssl is not installed");
    }
    if (ENGINE_ctrl_cmd_string(e, "MODULE_PATH", module, 0) != 1 || ENGINE_init(e) != 1) {
        ENGINE_free(e);
        ERR_clear_error();
        return emt_fail(diag, EMT_EIO, "pkcs11: the module %s cannot be loaded", module);
    }
    shared.engine = e;
    snprintf(shared.module, sizeof shared.module, "%s", module);
    return EMT_OK;
}

static enum emt_err load_key(const struct token_uri *u, const char *pin, EVP_PKEY **out,
                             struct emt_diag *diag)
{
    enum key_kind kind;
    EVP_PKEY *key = NULL;

    if (ENGINE_ctrl_cmd_string(shared.engine, "PIN", pin, 0) == 1)
        key = ENGINE_load_private_key(shared.engine, u->key, NULL, NULL);
    if (!key) {
        /* The engine says both in the same words. */
        ERR_clear_error();
        return emt_fail(diag, EMT_ENOTFOUND,
                        "pkcs11: no key %s in the token, or its PIN is another one", u->key);
    }
    if (key_kind_of(key, &kind) != EMT_OK) {
        EVP_PKEY_free(key);
        return emt_fail(diag, EMT_EMALFORMED,
                        "pkcs11: key type: P-256, P-384, brainpoolP256r1 or brainpoolP384r1");
    }
    *out = key;
    return EMT_OK;
}

enum emt_err token_key(const char *uri, size_t n, EVP_PKEY **out, struct emt_diag *diag)
{
    char pin[PIN_MAX + 1];
    struct token_uri u;
    enum emt_err err = parse(uri, n, &u, diag);

    if (err == EMT_OK)
        err = read_pin(u.pin_file, pin, diag);
    if (err != EMT_OK)
        return err;
    pthread_mutex_lock(&shared.mutex);
    err = open_engine(u.module, diag);
    if (err == EMT_OK)
        err = load_key(&u, pin, out, diag);
    pthread_mutex_unlock(&shared.mutex);
    OPENSSL_cleanse(pin, sizeof pin);
    return err;
}
