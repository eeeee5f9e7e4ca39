/* The gateway's memory of frames: a ring in one preallocated file that survives kill -9 and power
 * loss.
 *
 * A frame gets the next sequence number when it is appended, counts as accepted once spool_sync()
 * has returned, is *owed* until it is acknowledged, and stays readable until its space is needed. A
 * full ring gives up its oldest owed frames; what is missing (given up or damaged) shows as a hole
 * between acknowledged and next sequence number and is announced as a gap. The layout of the file
 * stands in spool_format.c and docs/agent.md. Not thread safe; one process per file (locked). */
#ifndef EMT_AGENT_SPOOL_H
#define EMT_AGENT_SPOOL_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_ID_LEN 16
#define SPOOL_FRAME_MAX 16384u                  /* bytes of one frame */
#define SPOOL_SIZE_MIN (UINT64_C(64) * 1024)    /* bytes of the ring */
#define SPOOL_SIZE_MAX (UINT64_C(16) << 30)     /* bytes of the ring */
#define SPOOL_SIZE_DEFAULT (UINT64_C(64) << 20) /* bytes of the ring */

struct spool;

struct spool_options {
    uint64_t size; /* of a new file; an existing one keeps its size */
    bool sync;     /* false: only for simulators, a power loss may cost accepted frames */
};

struct spool_frame {
    uint64_t seq; /* set by the spool */
    emt_time received_at;
    uint16_t protocol;
    uint16_t format;
    int32_t rssi_dbm;
    const uint8_t *data;
    size_t len;
};

/* What spool_open() found, for a log line. */
struct spool_stats {
    uint64_t size;        /* bytes of the ring */
    uint64_t next_seq;    /* of the next frame */
    uint64_t oldest_seq;  /* oldest readable frame; next_seq when there is none */
    uint64_t durable_seq; /* last accepted frame */
    uint64_t acked_seq;
    uint64_t owed_frames; /* readable and not acknowledged */
    uint64_t owed_bytes;  /* of the ring, taken by them */
    uint64_t given_up;    /* owed frames overwritten since the file was opened */
    uint64_t damaged;     /* frames found unreadable since it was opened */
};

/* Opens or creates the file. EMT_ECONFLICT another process has it; EMT_EMALFORMED it is no spool,
 * or both copies of its header are damaged; EMT_ELIMIT bad size; EMT_EIO; EMT_ENOMEM. Close with
 * spool_close(). */
EMT_CHECKED enum emt_err spool_open(const char *path, const struct spool_options *options,
                                    struct spool **out, struct emt_diag *diag);
/* Does not sync. NULL is fine. */
void spool_close(struct spool *s);

const uint8_t *spool_id(const struct spool *s); /* SPOOL_ID_LEN bytes, random, made with the file */
void spool_stats(const struct spool *s, struct spool_stats *out);

/* Appends; *seq is its number. EMT_ELIMIT empty or longer than SPOOL_FRAME_MAX; EMT_EIO (for good
 * after a failed sync). */
EMT_CHECKED enum emt_err spool_append(struct spool *s, const struct spool_frame *frame,
                                      uint64_t *seq);
/* Makes everything appended durable (one fdatasync); only then may it be sent. */
EMT_CHECKED enum emt_err spool_sync(struct spool *s);
/* Everything up to here is no longer owed. Lower numbers than before are passed over; higher than
 * durable ones are cut. */
EMT_CHECKED enum emt_err spool_ack(struct spool *s, uint64_t up_to);

/* The first readable, durable frame from this number on; 0 when there is none. */
uint64_t spool_next(const struct spool *s, uint64_t from);
/* Reads one frame; its data stands in buf (SPOOL_FRAME_MAX bytes). EMT_ENOTFOUND; EMT_EMALFORMED
 * its bytes are damaged (it is a hole from now on). */
EMT_CHECKED enum emt_err spool_read(struct spool *s, uint64_t seq, uint8_t *buf,
                                    struct spool_frame *out);

/* Begins a new life under a new identity: what is owed is carried over and numbered from 1. For a
 * spool that was set back in time (a restored disk image), whose numbers the head-end has already
 * seen. The old file is replaced in one step. */
EMT_CHECKED enum emt_err spool_renew(struct spool *s, struct emt_diag *diag);

#endif
