/* A mail with one attachment as text (RFC 5322, 2045 to 2047). */
#ifndef EMT_DELIVERY_MAIL_MESSAGE_H
#define EMT_DELIVERY_MAIL_MESSAGE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "delivery/delivery.h"

#include <stddef.h>
#include <stdint.h>

struct mail_attachment {
    const char *name;
    const char *media_type;
    const uint8_t *data;
    size_t len;
};

/* From, To, Cc, Subject, Date, Message-ID: without the empty line that ends them and without
 * MIME-Version. id is unique, without < >. Bcc is in no header. */
void mail_headers(struct writer *w, const struct delivery_mail *m, emt_time date, const char *id);
/* The MIME entity: its Content-Type lines, an empty line, text and attachment. boundary must not
 * occur in them; base64 and quoted-printable hold no "=_". */
void mail_entity(struct writer *w, const char *text, const struct mail_attachment *a,
                 const char *boundary);

#endif
