/* The ways of delivery, one function each; called with a target that delivery_check() let pass. */
#ifndef EMT_DELIVERY_DELIVERY_INTERNAL_H
#define EMT_DELIVERY_DELIVERY_INTERNAL_H

#include "base/attr.h"
#include "delivery/delivery.h"

void delivery_local(const struct delivery_target *t, const struct delivery_file *file,
                    struct delivery_result *out);
/* SFTP, FTP, FTPS. */
void delivery_folder(const struct delivery_target *t, const struct delivery_file *file,
                     struct delivery_result *out);
void delivery_https(const struct delivery_target *t, const struct delivery_file *file,
                    struct delivery_result *out);
void delivery_by_mail(const struct delivery_target *t, const struct delivery_file *file,
                      struct delivery_result *out);

/* Whether this build can leave the machine. */
bool delivery_has_network(void);

void delivery_say(struct delivery_result *out, enum delivery_outcome outcome, const char *fmt, ...)
    EMT_PRINTF(3, 4);

#endif
