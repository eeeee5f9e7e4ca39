/* Telegrams from a text file, one per line:
 *
 *   [wmbus|mbus|…] HEX [format=no-link-crc|frame-a-crc|…] [rssi=-70] [time=2026-11-20T10:00:00Z] #
 * comment
 *
 * Protocol names and formats as in model/protocol.h, wmbus when left out; time is when the gateway
 * heard it, now when left out. */
#ifndef EMT_AGENT_REPLAY_H
#define EMT_AGENT_REPLAY_H

#include "agent/spool.h"
#include "base/attr.h"
#include "base/error.h"

struct replay;

/* EMT_EIO with diag. Free with replay_close(). */
EMT_CHECKED enum emt_err replay_open(const char *path, struct replay **out, struct emt_diag *diag);
void replay_close(struct replay *r);
/* The next frame; its data lives until the next call, received_at is EMT_TIME_NONE where the line
 * has none. EMT_ENOTFOUND at the end; EMT_EMALFORMED with file and line; EMT_EIO. */
EMT_CHECKED enum emt_err replay_next(struct replay *r, struct spool_frame *out,
                                     struct emt_diag *diag);
/* One line by itself (without its newline, changed by parsing). EMT_ENOTFOUND nothing but space and
 * comment; EMT_EMALFORMED with diag->text. buf holds SPOOL_FRAME_MAX. */
EMT_CHECKED enum emt_err replay_parse_line(char *line, uint8_t *buf, struct spool_frame *out,
                                           struct emt_diag *diag);

#endif
