#include "import_set.h"

#include "certificate.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static int import_compare(const void *a, const void *b)
{
    const struct import *x = a, *y = b;
    int order = memcmp(x->fingerprint, y->fingerprint, sizeof x->fingerprint);

    return order ? order : (int)x->pinned - (int)y->pinned;
}

static void import_release(struct import *i)
{
    X509_free(i->cert);
    crl_free(i->crl);
}

static enum emt_err read_one(const struct trust_import *from, struct import *out,
                             struct emt_diag *diag)
{
    STACK_OF(X509) *list = NULL;
    enum emt_err err = certificates_from_pem(from->pem, strlen(from->pem), &list, diag);

    if (err != EMT_OK)
        return err;
    *out = (struct import){ .cert = sk_X509_shift(list), .pinned = from->pinned };
    sk_X509_pop_free(list, X509_free);
    if (!certificate_fingerprint(out->cert, out->fingerprint))
        err = EMT_ENOMEM;
    if (err == EMT_OK && from->crl)
        err = crl_read(from->crl, from->crl_len, &out->crl, diag);
    if (err != EMT_OK)
        import_release(out);
    return err;
}

/* Several tenants may have imported the same one: it is there once, with a list where one of them
 * has it (the caller gives all of them the newest). */
static void drop_repetitions(struct import_set *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n; i++) {
        struct import *last = kept > 0 ? &s->items[kept - 1] : NULL;

        if (!last || import_compare(last, &s->items[i]) != 0) {
            s->items[kept++] = s->items[i];
            continue;
        }
        if (!last->crl) {
            last->crl = s->items[i].crl;
            s->items[i].crl = NULL;
        }
        import_release(&s->items[i]);
    }
    s->n = kept;
}

enum emt_err import_set_new(const struct trust_import *list, size_t n, struct import_set **out,
                            size_t *bad, struct emt_diag *diag)
{
    struct import_set *s = calloc(1, sizeof *s);

    *bad = 0;
    if (!s)
        return EMT_ENOMEM;
    s->refs = 1;
    s->items = calloc(n, sizeof *s->items);
    if (!s->items) {
        free(s);
        return EMT_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (read_one(&list[i], &s->items[s->n], diag) == EMT_OK)
            s->n++;
        else
            ++*bad;
    }
    qsort(s->items, s->n, sizeof *s->items, import_compare);
    drop_repetitions(s);
    *out = s;
    return EMT_OK;
}

struct import_set *import_set_ref(struct import_set *s)
{
    __atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void import_set_unref(struct import_set *s)
{
    if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < s->n; i++)
        import_release(&s->items[i]);
    free(s->items);
    free(s);
}

const struct import *import_set_find(const struct import_set *s, const uint8_t fingerprint[32],
                                     bool pinned)
{
    struct import key = { .pinned = pinned };

    memcpy(key.fingerprint, fingerprint, sizeof key.fingerprint);
    return bsearch(&key, s->items, s->n, sizeof *s->items, import_compare);
}

bool import_set_lists(const struct import_set *s, const uint8_t issuer[32], const char *serial)
{
    const struct import *i = import_set_find(s, issuer, false);

    return i && i->crl && crl_lists(i->crl, serial);
}
