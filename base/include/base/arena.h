/* Memory that is given back all at once: one arena per loop, reset after each frame or batch.
 *
 * Blocks are kept over a reset, so that a warm arena allocates nothing. Not thread safe. */
#ifndef EMT_BASE_ARENA_H
#define EMT_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* limit: most bytes held at once (0: no limit). NULL when out of memory. Free with arena_free(). */
struct arena *arena_new(size_t limit);
void arena_free(struct arena *a);
/* Everything handed out is gone; the memory stays with the arena. */
void arena_reset(struct arena *a);
/* Zeroed, aligned for any type; NULL past the limit or out of memory. n = 0 gives a valid pointer.
 */
void *arena_alloc(struct arena *a, size_t n);
/* A copy of n bytes; NULL as above. */
void *arena_copy(struct arena *a, const void *p, size_t n);
/* A copy of n bytes of text with a closing 0; NULL as above. */
char *arena_text(struct arena *a, const char *s, size_t n);
/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *a);

#endif
