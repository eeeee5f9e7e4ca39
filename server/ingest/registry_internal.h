/* What registry.c and registry_load.c share. */
#ifndef EMT_INGEST_REGISTRY_INTERNAL_H
#define EMT_INGEST_REGISTRY_INTERNAL_H

#include "registry.h"

struct registry {
    struct seal_key master;
    struct map *tenants; /* id → registry_tenant */
    size_t channels;     /* with id */
    size_t devices;
};

/* Finds a key among a device's own; comparing the text decides. */
uint64_t registry_hash(const char *key);
int registry_channel_find(const struct registry_device *d, const char *key, uint64_t hash);
/* NULL: REGISTRY_CHANNELS_MAX, or out of memory. */
struct registry_channel *registry_channel_add(struct registry_device *d, const char *key,
                                              uint64_t hash);
/* NULL: FORMAT_LOAD_MAX, or out of memory. */
struct registry_format *registry_format_add(struct registry_tenant *t,
                                            const struct format_row *row);

#endif
