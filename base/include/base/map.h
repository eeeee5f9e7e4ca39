/* A hash table from byte strings to pointers: the caches of a loop.
 *
 * Keys are copied, values are borrowed. Keyed hash with a random seed per table, since keys come
 * from outside. Not thread safe. */
#ifndef EMT_BASE_MAP_H
#define EMT_BASE_MAP_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct map;

struct map *map_new(void); /* NULL when out of memory */
/* Values are not touched. */
void map_free(struct map *m);
void map_clear(struct map *m);
size_t map_count(const struct map *m);
/* NULL when absent. */
void *map_get(const struct map *m, const void *key, size_t n);
/* Adds or replaces; *old (may be NULL) is what stood there before. value must not be NULL.
 * EMT_ENOMEM. */
EMT_CHECKED enum emt_err map_put(struct map *m, const void *key, size_t n, void *value, void **old);
/* Removes and returns the value; NULL when absent. */
void *map_del(struct map *m, const void *key, size_t n);
/* Walks in no order: start with *at = 0; false at the end. The table must not change meanwhile,
 * except that the entry just given may be removed. key and n may be NULL. */
bool map_next(const struct map *m, size_t *at, const void **key, size_t *n, void **value);

#endif
