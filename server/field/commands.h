/* Delivers waiting commands to the gateways of one loop. At least once: a command is sent again,
 * under its key, in a later session when no result came in this one; the gateway remembers. Loop
 * thread only. */
#ifndef EMT_FIELD_COMMANDS_H
#define EMT_FIELD_COMMANDS_H

#include "base/attr.h"
#include "session.h"

#include <stdint.h>

struct commands;
struct journal;
struct store;
struct field_metrics;

struct commands_settings {
    int64_t node;
    struct journal *journal;
    struct field_metrics *metrics;
    /* The ready session of a gateway on this loop; NULL for none. */
    struct session *(*find)(void *ctx, int32_t tenant, int64_t gateway);
    /* Can this message be encoded? Else the command fails here. */
    bool (*can_send)(void *ctx, const struct uplink_message *m);
    void (*queued)(void *ctx);
    void *ctx;
};
struct commands *commands_new(const struct commands_settings *s);
void commands_free(struct commands *c);
/* Looks for waiting commands; once more when the look under way is over, which may have begun
 * before what it is asked for was there. s NULL: no database. */
void commands_poll(struct commands *c, struct store *s);

#endif
