#include "pki/trust.h"

#include "certificate.h"
#include "crl_internal.h"
#include "import_set.h"
#include "key.h"
#include "pki/tls_conn.h"
#include "verify.h"

#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct trust {
    atomic_uint refs;
    X509_STORE *store; /* has a lock of its own */
    pthread_rwlock_t lock;
    uint8_t (*revoked)[32]; /* sorted, each once */
    size_t nrevoked;
    struct import_set *imports; /* NULL: none */
    uint64_t epoch;
};

struct trust *trust_new(void)
{
    struct trust *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->store = X509_STORE_new();
    if (!t->store || pthread_rwlock_init(&t->lock, NULL) != 0) {
        X509_STORE_free(t->store);
        free(t);
        return NULL;
    }
    atomic_init(&t->refs, 1);
    return t;
}

struct trust *trust_ref(struct trust *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void trust_unref(struct trust *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    X509_STORE_free(t->store);
    pthread_rwlock_destroy(&t->lock);
    import_set_unref(t->imports);
    free(t->revoked);
    free(t);
}

X509_STORE *trust_store(struct trust *t)
{
    return t->store;
}

enum emt_err trust_add_pem(struct trust *t, const char *pem, size_t n, struct emt_diag *diag)
{
    STACK_OF(X509) *list = NULL;
    enum emt_err err = certificates_from_pem(pem, n, &list, diag);

    /* A certificate that is there already is no error to OpenSSL either. */
    for (int i = 0; err == EMT_OK && i < sk_X509_num(list); i++) {
        if (X509_STORE_add_cert(t->store, sk_X509_value(list, i)) != 1)
            err = pki_fail(diag, EMT_EINTERNAL, "trust anchor");
    }
    sk_X509_pop_free(list, X509_free);
    return err;
}

static int fingerprint_compare(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* Sorted, without repetitions; returns how many are left. */
static size_t normalise(uint8_t (*list)[32], size_t n)
{
    size_t kept = 0;

    qsort(list, n, sizeof list[0], fingerprint_compare);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || memcmp(list[kept - 1], list[i], 32) != 0)
            memmove(list[kept++], list[i], 32);
    }
    return kept;
}

enum emt_err trust_set_revoked(struct trust *t, const uint8_t (*fingerprints)[32], size_t n)
{
    uint8_t(*list)[32] = NULL;
    size_t bytes = 0;

    if (__builtin_mul_overflow(n, sizeof list[0], &bytes))
        return EMT_ENOMEM;
    if (n > 0) {
        list = malloc(bytes);
        if (!list)
            return EMT_ENOMEM;
        memcpy(list, fingerprints, bytes);
        n = normalise(list, n);
    }

    pthread_rwlock_wrlock(&t->lock);
    if (n != t->nrevoked || (n > 0 && memcmp(list, t->revoked, n * sizeof list[0]) != 0)) {
        uint8_t(*old)[32] = t->revoked;
        t->revoked = list;
        t->nrevoked = n;
        t->epoch++;
        list = old;
    }
    pthread_rwlock_unlock(&t->lock);
    free(list);
    return EMT_OK;
}

bool trust_is_revoked(struct trust *t, const uint8_t fingerprint[32])
{
    bool found = false;

    pthread_rwlock_rdlock(&t->lock);
    if (t->nrevoked > 0)
        found = bsearch(fingerprint, t->revoked, t->nrevoked, sizeof t->revoked[0],
                        fingerprint_compare) != NULL;
    pthread_rwlock_unlock(&t->lock);
    return found;
}

enum emt_err trust_set_imports(struct trust *t, const struct trust_import *list, size_t n,
                               size_t *bad, struct emt_diag *diag)
{
    struct import_set *set = NULL;
    enum emt_err err = n > 0 ? import_set_new(list, n, &set, bad, diag) : EMT_OK;

    if (err != EMT_OK)
        return err;
    if (n == 0)
        *bad = 0;
    pthread_rwlock_wrlock(&t->lock);
    struct import_set *old = t->imports;
    t->imports = set;
    t->epoch++;
    pthread_rwlock_unlock(&t->lock);
    import_set_unref(old);
    return EMT_OK;
}

struct import_set *trust_imports(struct trust *t)
{
    pthread_rwlock_rdlock(&t->lock);
    struct import_set *set = t->imports ? import_set_ref(t->imports) : NULL;
    pthread_rwlock_unlock(&t->lock);
    return set;
}

bool trust_peer_revoked(struct trust *t, const struct tls_peer *peer)
{
    struct import_set *set;
    bool listed;

    if (trust_is_revoked(t, peer->fingerprint) || trust_is_revoked(t, peer->issuer_key_id))
        return true;
    if (peer->origin != TLS_PEER_FOREIGN_CA)
        return false;
    set = trust_imports(t);
    listed = set && import_set_lists(set, peer->issuer_key_id, peer->serial);
    import_set_unref(set);
    return listed;
}

uint64_t trust_epoch(struct trust *t)
{
    pthread_rwlock_rdlock(&t->lock);
    uint64_t epoch = t->epoch;
    pthread_rwlock_unlock(&t->lock);
    return epoch;
}
