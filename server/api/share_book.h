/* Whose share of the workers a request counts against, before anybody has asked the database who
 * sends it.
 *
 * What a key's text claims would let strangers use up a tenant's share. So only credentials that
 * were good a short while ago count for their tenant; all others share one place. Remembers a
 * keyed hash, never the credential. From any thread. */
#ifndef EMT_API_SHARE_BOOK_H
#define EMT_API_SHARE_BOOK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SHARE_BOOK_PLACES = 4096,
    SHARE_STRANGERS = INT32_MAX, /* the share of all who are not known */
    SHARE_KNOWN_S = 300,
};

struct share_book {
    pthread_mutex_t lock;
    uint8_t secret[16];
    struct share_entry {
        uint64_t hash; /* 0: free */
        int64_t until_ms;
        int32_t share;
    } entries[SHARE_BOOK_PLACES];
};

/* NULL: no memory or no random bytes. */
struct share_book *share_book_new(void);
void share_book_free(struct share_book *b); /* NULL is fine */
/* The credential is good. */
void share_book_note(struct share_book *b, const char *credential, int32_t share, int64_t now_ms);
/* SHARE_STRANGERS when it is not known, or NULL. */
int32_t share_book_find(struct share_book *b, const char *credential, int64_t now_ms);

#endif
