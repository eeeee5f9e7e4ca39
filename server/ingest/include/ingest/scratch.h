/* Which telegram ended the process? Before a frame is decoded its hash is noted in a mapped file;
 * after a crash the noted frame is stored quarantined, undecoded, acknowledged and alarmed
 * (decision 11). The note survives the process, not the machine: that is enough. */
#ifndef EMT_INGEST_SCRATCH_H
#define EMT_INGEST_SCRATCH_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scratch;

/* Opens or makes the file (4 KiB) and locks it. A note left by a crash joins the list of poisoned
 * hashes, which stays in the file (the last 100); so do the notes and lists of the files beside it
 * whose name holds "scratch": after a crash the same telegram may come to another loop. EMT_EIO
 * also when another process has it. */
EMT_CHECKED enum emt_err scratch_open(const char *path, struct scratch **out,
                                      struct emt_diag *diag);
void scratch_close(struct scratch *s);
void scratch_enter(struct scratch *s, const uint8_t hash[16]);
void scratch_leave(struct scratch *s);
bool scratch_is_poisoned(const struct scratch *s, const uint8_t hash[16]);
size_t scratch_poisoned(const struct scratch *s);

#endif
