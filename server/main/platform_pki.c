#include "platform_pki.h"

#include "base/cipher.h"
#include "base/file.h"
#include "pki/authority.h"
#include "pki/tls_context.h"
#include "store/secret_store.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define PEM_MAX ((size_t)256 << 10)
#define ROOT_LIFETIME (INT64_C(7305) * EMT_DAY) /* 20 years */
#define SERVER_CA_LIFETIME (INT64_C(3652) * EMT_DAY)
#define SERVER_LIFETIME (INT64_C(90) * EMT_DAY)
#define SESSIONS_CACHED 20000

/* Key material is wiped before its memory goes back. */
static void release_secret(struct writer *w)
{
    if (w->data)
        cipher_wipe(w->data, w->cap);
    writer_release(w);
}

static bool is_token(const struct writer *key)
{
    return key->len > 7 && memcmp(key->data, "pkcs11:", 7) == 0;
}

/* What the configuration says of a token's key goes before what was kept. */
static enum emt_err load_with(struct store *s, const char *name, const struct seal_key *master,
                              const char *uri, const struct writer *chain, const struct writer *key,
                              struct authority **out, struct emt_diag *diag)
{
    const char *k = uri ? uri : (const char *)key->data;
    size_t n = uri ? strlen(uri) : key->len;
    enum emt_err err;

    if (uri && !is_token(key))
        return emt_fail(diag, EMT_ESTATE,
                        "%s: was made with a key in the database, and cannot move to a token",
                        name);
    err = authority_load_platform((const char *)chain->data, chain->len, k, n, out, diag);
    if (err == EMT_ENOTFOUND) /* of the token: what is kept here is there */
        err = EMT_ESTATE;
    if (err == EMT_OK && uri && (n != key->len || memcmp(uri, key->data, n) != 0))
        err = platform_secret_replace(s, name, uri, n, master);
    return err;
}

static enum emt_err load(struct store *s, const char *name, const struct seal_key *master,
                         const char *uri, struct authority **out, struct emt_diag *diag)
{
    struct writer key, chain;
    enum emt_err err;

    writer_init_heap(&key, PEM_MAX);
    writer_init_heap(&chain, PEM_MAX);
    err = platform_secret_load(s, name, master, &key, &chain);
    if (err == EMT_OK)
        err = load_with(s, name, master, uri, &chain, &key, out, diag);
    else if (err == EMT_EAUTH)
        (void)emt_fail(diag, err,
                       "the master key is not the one that this database was set up with");
    else if (err != EMT_ENOTFOUND)
        (void)emt_fail(diag, err, "%s: %s", name, store_error(s));
    release_secret(&key);
    writer_release(&chain);
    return err;
}

static enum emt_err keep(struct store *s, const char *name, const struct seal_key *master,
                         const struct authority *a, struct emt_diag *diag)
{
    struct writer key, chain;
    enum emt_err err;

    writer_init_heap(&key, PEM_MAX);
    writer_init_heap(&chain, PEM_MAX);
    err = authority_key_pem(a, &key);
    if (err == EMT_OK)
        err = authority_chain_pem(a, &chain);
    if (err == EMT_OK)
        err = platform_secret_create(s, name, key.data, key.len, writer_cstr(&chain), master);
    if (err != EMT_OK)
        (void)emt_fail(diag, err, "%s: %s", name, store_error(s));
    release_secret(&key);
    writer_release(&chain);
    return err;
}

static enum emt_err end_of(const struct authority *a, emt_time *out, struct emt_diag *diag)
{
    struct leaf_info info;
    struct writer chain;

    writer_init_heap(&chain, PEM_MAX);
    enum emt_err err = authority_chain_pem(a, &chain);
    if (err == EMT_OK)
        err = certificate_info(writer_cstr(&chain), chain.len, &info, diag);
    if (err == EMT_OK)
        *out = info.not_after;
    writer_release(&chain);
    return err;
}

static enum emt_err open_root(struct store *s, const struct seal_key *master, const char *uri,
                              emt_time now, struct authority **root, struct emt_diag *diag)
{
    enum emt_err err = load(s, PLATFORM_ROOT, master, uri, root, diag);

    if (err != EMT_ENOTFOUND)
        return err;
    err = uri ? authority_new_root_token(uri, now, ROOT_LIFETIME, root, diag)
              : authority_new_root(KEY_P256, now, ROOT_LIFETIME, root, diag);
    return err == EMT_OK ? keep(s, PLATFORM_ROOT, master, *root, diag) : err;
}

static enum emt_err open_server_ca(struct store *s, const struct seal_key *master, const char *uri,
                                   emt_time now, struct authority *root, struct authority **ca,
                                   struct emt_diag *diag)
{
    static const char name[] = "EMT Platform Server CA";
    enum emt_err err = load(s, PLATFORM_SERVER_CA, master, uri, ca, diag);

    if (err != EMT_ENOTFOUND)
        return err;
    err = uri ? authority_new_sub_token(root, uri, NULL, name, now, SERVER_CA_LIFETIME, ca, diag)
              : authority_new_sub(root, KEY_P256, NULL, name, now, SERVER_CA_LIFETIME, ca, diag);
    return err == EMT_OK ? keep(s, PLATFORM_SERVER_CA, master, *ca, diag) : err;
}

enum emt_err platform_pki_open(struct store *admin, const struct seal_key *master,
                               const struct platform_keys *keys, emt_time now,
                               struct platform_pki *out, struct emt_diag *diag)
{
    struct authority *root = NULL;
    enum emt_err err = store_begin(admin, 0);

    *out = (struct platform_pki){ .server_ca = NULL };
    writer_init_heap(&out->root_pem, PEM_MAX);
    if (err == EMT_OK)
        err = platform_lock(admin);
    if (err != EMT_OK)
        (void)emt_fail(diag, err, "%s", store_error(admin));
    if (err == EMT_OK)
        err = open_root(admin, master, keys->root, now, &root, diag);
    if (err == EMT_OK)
        err = open_server_ca(admin, master, keys->server_ca, now, root, &out->server_ca, diag);
    if (err == EMT_OK)
        err = authority_chain_pem(root, &out->root_pem);
    if (err == EMT_OK)
        authority_fingerprint(root, out->pin);
    if (err == EMT_OK)
        err = end_of(root, &out->root_ends, diag);
    if (err == EMT_OK)
        err = end_of(out->server_ca, &out->server_ca_ends, diag);
    if (err == EMT_OK)
        err = store_commit(admin);
    authority_free(root);
    if (err == EMT_OK)
        return EMT_OK;
    store_rollback(admin);
    platform_pki_release(out);
    return err;
}

void platform_pki_release(struct platform_pki *p)
{
    authority_free(p->server_ca);
    p->server_ca = NULL;
    writer_release(&p->root_pem);
}

/* ---- contexts of the listeners ---- */

static struct trust *trust_of(enum tls_profile profile, const struct tls_set_settings *s)
{
    if (profile == TLS_PROFILE_HTTPS)
        return NULL;
    return profile == TLS_PROFILE_LOGGER ? s->trust_logger : s->trust;
}

static enum emt_err make(enum tls_profile profile, const char *chain, size_t chain_len,
                         const char *key, size_t key_len, const struct tls_set_settings *s,
                         struct tls_context **out, struct emt_diag *diag)
{
    struct tls_settings t = { .profile = profile,
                              .chain_pem = chain,
                              .chain_len = chain_len,
                              .key_pem = key,
                              .key_len = key_len,
                              .trust = trust_of(profile, s),
                              .session_cache = SESSIONS_CACHED,
                              .session_age_ms = s->session_age_ms };

    return tls_context_new(&t, out, diag);
}

static enum emt_err make_from_files(const struct tls_set_settings *s, struct tls_context **out,
                                    struct emt_diag *diag)
{
    char *chain = NULL, *key = NULL;
    size_t chain_len, key_len = 0;
    enum emt_err err = file_read(s->certificate, PEM_MAX, &chain, &chain_len, diag);

    if (err == EMT_OK && strncmp(s->key, "pkcs11:", 7) == 0) {
        key = strdup(s->key);
        key_len = strlen(s->key);
        err = key ? EMT_OK : EMT_ENOMEM;
    } else if (err == EMT_OK) {
        err = file_read(s->key, PEM_MAX, &key, &key_len, diag);
    }
    if (err == EMT_OK)
        err = make(TLS_PROFILE_HTTPS, chain, chain_len, key, key_len, s, out, diag);
    if (key)
        cipher_wipe(key, key_len);
    free(key);
    free(chain);
    return err;
}

static enum emt_err make_all(const struct platform_pki *p, const struct tls_set_settings *s,
                             struct writer *chain, const struct writer *key, struct tls_set *t,
                             struct emt_diag *diag)
{
    const char *c = writer_cstr(chain), *k = (const char *)key->data;
    enum emt_err err = make(TLS_PROFILE_FIELD_12, c, chain->len, k, key->len, s, &t->field12, diag);

    if (err == EMT_OK)
        err = make(TLS_PROFILE_FIELD_13, c, chain->len, k, key->len, s, &t->field13, diag);
    if (err == EMT_OK && s->trust_logger)
        err = make(TLS_PROFILE_LOGGER, c, chain->len, k, key->len, s, &t->logger, diag);
    if (err != EMT_OK)
        return err;
    if (s->certificate)
        return make_from_files(s, &t->https, diag);
    /* Who enrols has nothing yet but the pin of the root, and looks for it in the chain that is
     * sent. */
    if (!writer_bytes(chain, p->root_pem.data, p->root_pem.len))
        return EMT_ENOMEM;
    return make(TLS_PROFILE_HTTPS, writer_cstr(chain), chain->len, k, key->len, s, &t->https, diag);
}

enum emt_err tls_set_make(const struct platform_pki *p, const struct tls_set_settings *s,
                          emt_time now, struct tls_set *out, struct emt_diag *diag)
{
    struct writer chain, key;
    struct leaf_info info;
    struct tls_set t = { .not_after = 0 };
    enum emt_err err;

    writer_init_heap(&chain, PEM_MAX);
    writer_init_heap(&key, PEM_MAX);
    if (s->server_key) {
        err = authority_issue_server_token(p->server_ca, s->server_key, s->names, now,
                                           SERVER_LIFETIME, &chain, &info, diag);
        if (err == EMT_OK && !writer_text(&key, s->server_key))
            err = EMT_ENOMEM;
    } else {
        err = authority_issue_server(p->server_ca, KEY_P256, s->names, now, SERVER_LIFETIME, &chain,
                                     &key, &info, diag);
    }
    if (err == EMT_OK) {
        t.not_after = info.not_after;
        err = make_all(p, s, &chain, &key, &t, diag);
    }
    release_secret(&key);
    writer_release(&chain);
    if (err == EMT_OK)
        *out = t;
    else
        tls_set_release(&t);
    return err;
}

void tls_set_release(struct tls_set *t)
{
    tls_context_unref(t->field12);
    tls_context_unref(t->field13);
    tls_context_unref(t->logger);
    tls_context_unref(t->https);
    *t = (struct tls_set){ .not_after = 0 };
}
