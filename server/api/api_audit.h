/* Reads of load profiles in the audit: they say how people live, so who read them is kept, once per
 * user, channel and ten minutes. A node notes its first read of each; what it forgets for want of
 * room, or with a restart, is noted twice, never not at all. */
#ifndef EMT_API_API_AUDIT_H
#define EMT_API_API_AUDIT_H

#include "api_call.h"

#include <pthread.h>

#define READ_LOG_SLOT (10 * EMT_MINUTE)
#define READ_LOG_PLACES 8192

struct read_log {
    pthread_mutex_t mutex;
    uint64_t seen[READ_LOG_PLACES]; /* hash of (tenant, actor, channel, slot), 0: free */
};
void read_log_init(struct read_log *l);
void read_log_release(struct read_log *l);
/* 0: noted already in these ten minutes; else what read_log_keep() takes once the note is
 * committed. From any thread. */
uint64_t read_log_mark(struct read_log *l, int32_t tenant, const char *actor, int64_t channel,
                       emt_time now);
void read_log_keep(struct read_log *l, uint64_t mark); /* 0 is fine */

/* Notes that the values of a channel (0: of all) are shown, in the transaction of the call. */
EMT_CHECKED enum emt_err api_audit_read(struct api_call *c, int64_t channel, emt_time from,
                                        emt_time to);

#endif
