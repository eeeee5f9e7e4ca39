/* The meters whose radio telegrams a gateway takes: ordered by the head-end, kept in a file, asked
 * before a telegram reaches the spool. */
#ifndef EMT_AGENT_ALLOW_LIST_H
#define EMT_AGENT_ALLOW_LIST_H

#include "agent/command_memory.h"
#include "agent/spool.h"
#include "base/attr.h"
#include "base/error.h"
#include "wire/uplink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct allow_list;

#define ALLOW_LIST_MAX 5000

/* Reads the file; none: everything passes. A file that cannot be read as a list is an error: a
 * gateway must not begin to send what it was told to leave. Free with allow_list_free(). */
EMT_CHECKED enum emt_err allow_list_open(const char *path, struct allow_list **out,
                                         struct emt_diag *diag);
void allow_list_free(struct allow_list *a);

/* Radio telegrams (wireless M-Bus) of meters that are not listed do not pass, and are counted. A
 * meter is listed by its own address or by that of its radio adapter; an adapter whose telegram
 * does not say whose it is passes. Everything else passes. */
bool allow_list_passes(struct allow_list *a, const struct spool_frame *f);
/* Since the program began. */
uint64_t allow_list_filtered(const struct allow_list *a);

/* The command "allow-list": "mode" is list or off, "version" rises with every order (an older one
 * is passed over), every other argument holds device ids separated by blanks. */
void allow_list_command(struct allow_list *a, const struct uplink_command *cmd,
                        struct command_outcome *out);

#endif
