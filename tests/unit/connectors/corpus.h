/* Files that tests read: our own golden files, and the sample corpus where it is present. */
#ifndef TEST_CONNECTORS_CORPUS_H
#define TEST_CONNECTORS_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

/* A golden file of tests/corpus/mscons, closed by 0; fails the test when it cannot be read. free()
 * it. */
char *golden_read(const char *name, size_t *len);
/* The file of the sample corpus into *data (free() it); false when there is none. */
bool sample_read(const char *name, char **data, size_t *len);
/* Calls `each` for every name in the folder of samples that ends so; false (said on stdout) when
 * the folder is not there. */
bool samples_walk(const char *ending, void (*each)(const char *name));

#endif
