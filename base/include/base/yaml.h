/* A YAML file as a tree whose nodes know their line, for configuration.
 *
 * Errors name file, line and key; whoever reads the tree asks at the end for keys nobody asked for,
 * so that an unknown key is an error. Aliases, tags and multiple documents are refused. Limits: 1
 * MiB, depth 16, 20,000 nodes. */
#ifndef EMT_BASE_YAML_H
#define EMT_BASE_YAML_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct yaml;      /* a loaded file */
struct yaml_node; /* borrowed from it */

/* EMT_EIO the file cannot be read; EMT_EMALFORMED no YAML or a key twice; EMT_ELIMIT. Free with
 * yaml_free(). */
EMT_CHECKED enum emt_err yaml_load_file(const char *path, struct yaml **out, struct emt_diag *diag);
/* The same from text; name stands for the file in messages. */
EMT_CHECKED enum emt_err yaml_load_text(const char *name, const char *text, size_t n,
                                        struct yaml **out, struct emt_diag *diag);
/* (Another symbol name: libyaml exports a yaml_free of its own, which ours would replace at run
 * time.) */
void yaml_free(struct yaml *y) __asm__("emt_yaml_free");
/* A mapping (empty for an empty file). */
const struct yaml_node *yaml_root(const struct yaml *y);

/* A member of a mapping by key, marked as known; NULL when absent or when map is NULL. */
const struct yaml_node *yaml_get(const struct yaml *y, const struct yaml_node *map,
                                 const char *key);
/* Elements of a sequence; 0 for NULL or a node that is none. */
size_t yaml_count(const struct yaml_node *seq);
const struct yaml_node *yaml_at(const struct yaml_node *seq, size_t i);

/* Typed reads of map[key]. Absent: *out stays as it is (the default) and EMT_OK. Wrong type or out
 * of range: EMT_EMALFORMED with file, line, key and what was expected. Text is borrowed from y.
 * Durations: 500ms, 30s, 5m, 48h, 30d, into milliseconds. Sizes: 512, 64KiB, 8MiB, 1GiB. */
EMT_CHECKED enum emt_err yaml_text(const struct yaml *y, const struct yaml_node *map,
                                   const char *key, const char **out, struct emt_diag *diag);
EMT_CHECKED enum emt_err yaml_int(const struct yaml *y, const struct yaml_node *map,
                                  const char *key, int64_t least, int64_t most, int64_t *out,
                                  struct emt_diag *diag);
EMT_CHECKED enum emt_err yaml_bool(const struct yaml *y, const struct yaml_node *map,
                                   const char *key, bool *out, struct emt_diag *diag);
EMT_CHECKED enum emt_err yaml_duration_ms(const struct yaml *y, const struct yaml_node *map,
                                          const char *key, int64_t least, int64_t most,
                                          int64_t *out, struct emt_diag *diag);
EMT_CHECKED enum emt_err yaml_size(const struct yaml *y, const struct yaml_node *map,
                                   const char *key, int64_t least, int64_t most, int64_t *out,
                                   struct emt_diag *diag);

/* EMT_EMALFORMED with file, line and key of the node, for what only the caller can judge. */
EMT_CHECKED enum emt_err yaml_refuse(const struct yaml *y, const struct yaml_node *n,
                                     struct emt_diag *diag, const char *text);
/* Text of a scalar element, NULL when it is none. */
const char *yaml_scalar(const struct yaml_node *n);
/* EMT_EMALFORMED naming the first key that nobody asked for with yaml_get or a typed read. */
EMT_CHECKED enum emt_err yaml_unknown(const struct yaml *y, struct emt_diag *diag);

#endif
