#include "share_book.h"

#include "base/cipher.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct share_book *share_book_new(void)
{
    struct share_book *b = calloc(1, sizeof *b);

    if (b == NULL || cipher_random(b->secret, sizeof b->secret) != EMT_OK ||
        pthread_mutex_init(&b->lock, NULL) != 0) {
        free(b);
        return NULL;
    }
    return b;
}

void share_book_free(struct share_book *b)
{
    if (b == NULL)
        return;
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* Never 0. */
static uint64_t hash_of(const struct share_book *b, const char *credential)
{
    uint8_t mac[32];
    uint64_t hash;

    if (cipher_hmac_sha256(b->secret, sizeof b->secret, credential, strlen(credential), mac) !=
        EMT_OK)
        return 0;
    memcpy(&hash, mac, sizeof hash);
    return hash | 1;
}

void share_book_note(struct share_book *b, const char *credential, int32_t share, int64_t now_ms)
{
    uint64_t hash = hash_of(b, credential);

    if (hash == 0)
        return;
    pthread_mutex_lock(&b->lock);
    b->entries[hash / 2 % SHARE_BOOK_PLACES] =
        (struct share_entry){ hash, now_ms + SHARE_KNOWN_S * INT64_C(1000), share };
    pthread_mutex_unlock(&b->lock);
}

int32_t share_book_find(struct share_book *b, const char *credential, int64_t now_ms)
{
    uint64_t hash = credential != NULL ? hash_of(b, credential) : 0;

    if (hash == 0)
        return SHARE_STRANGERS;
    pthread_mutex_lock(&b->lock);
    const struct share_entry *e = &b->entries[hash / 2 % SHARE_BOOK_PLACES];
    int32_t share = e->hash == hash && e->until_ms > now_ms ? e->share : SHARE_STRANGERS;
    pthread_mutex_unlock(&b->lock);
    return share;
}
