/* The results of the last 1,000 commands by idempotency key, so that a command that is sent again
 * (after a lost connection, by another node) is answered with its first result and not carried out
 * twice (decision 24). Kept in a small file that is replaced as a whole. */
#ifndef EMT_AGENT_COMMAND_MEMORY_H
#define EMT_AGENT_COMMAND_MEMORY_H

#include "base/attr.h"
#include "base/error.h"

#include <stdint.h>

#define COMMAND_MEMORY_MAX 1000u
#define COMMAND_KEY_LEN 16
#define COMMAND_TEXT_MAX 200 /* with the closing 0 */

struct command_memory;

struct command_outcome {
    uint8_t key[COMMAND_KEY_LEN];
    uint32_t outcome;
    char text[COMMAND_TEXT_MAX];
};

/* path NULL: in memory only. A file that is missing is an empty memory; one that is damaged is
 * EMT_EMALFORMED. */
EMT_CHECKED enum emt_err command_memory_open(const char *path, struct command_memory **out,
                                             struct emt_diag *diag);
void command_memory_free(struct command_memory *m);
/* NULL when the key is not known; borrowed until the next put. */
const struct command_outcome *command_memory_find(const struct command_memory *m,
                                                  const uint8_t key[COMMAND_KEY_LEN]);
/* Remembers a result (the oldest one goes) and writes the file. EMT_EIO: remembered, but not on
 * disk. */
EMT_CHECKED enum emt_err command_memory_put(struct command_memory *m,
                                            const struct command_outcome *o);

#endif
