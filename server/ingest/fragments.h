/* Pieces of messages that are longer than a telegram, from one frame to the next: each tenant has a
 * buffer of its own, so that nobody's pieces meet or crowd out another's. Belongs to one thread. */
#ifndef EMT_INGEST_FRAGMENTS_H
#define EMT_INGEST_FRAGMENTS_H

#include "base/clock.h"
#include "parsers/decode.h"

#include <stddef.h>
#include <stdint.h>

struct fragments;

/* Tenants with a buffer at once; whose pieces are the oldest gives way. Each takes at most
 * FRAGMENT_BUFFER_BYTES. */
#define FRAGMENTS_TENANTS_MAX 64u
/* A message that is not complete by then is given up: meters send its pieces within seconds. */
#define FRAGMENTS_AGE (10 * EMT_MINUTE)

struct fragments *fragments_new(void); /* NULL when out of memory */
void fragments_free(struct fragments *f);
/* The store for a frame of this tenant, decoded at `now`; good until the next call. */
struct fragment_store fragments_of(struct fragments *f, int32_t tenant, emt_time now);
/* Tenants with a buffer, for tests. */
size_t fragments_tenants(const struct fragments *f);

#endif
