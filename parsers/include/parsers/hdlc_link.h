/* The client side of an HDLC connection to a meter (IEC 62056-46): SNRM and UA, APDUs in
 * information frames, segments put together and acknowledged, DISC. Window of one frame.
 *
 * Bytes in, bytes out: the caller carries what is written and feeds what comes back; it owns timers
 * and the connection. Frames are not repeated: the line below is TCP, a lost frame is a lost
 * connection. */
#ifndef EMT_PARSERS_HDLC_LINK_H
#define EMT_PARSERS_HDLC_LINK_H

#include "base/attr.h"
#include "base/error.h"
#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most bytes of an APDU that arrives in segments; as many fit a TCP/UDP wrapper. */
#define HDLC_LINK_APDU_MAX 65535

enum hdlc_link_state { HDLC_LINK_IDLE = 0, HDLC_LINK_CONNECTING, HDLC_LINK_UP, HDLC_LINK_CLOSED };

enum hdlc_link_event {
    HDLC_LINK_MORE = 0, /* nothing for the caller but to send what was written, and to feed */
    HDLC_LINK_READY,    /* the meter accepted the connection */
    HDLC_LINK_APDU      /* apdu.data, apdu.len, until the next call */
};

struct hdlc_link {
    enum hdlc_link_state state;
    uint32_t client, server; /* as in the address field */
    unsigned server_len;     /* its bytes: 1, 2 or 4 */
    unsigned send, receive;  /* numbers of the next frame out and in, 0..7 */
    size_t info_max;         /* longest information field the meter takes */
    struct writer in;        /* bytes of a frame not complete yet */
    struct writer apdu;
    bool delivered; /* apdu was handed out and is cleared by the next frame */
};

/* client 1..127; server: logical device 1..16383; physical: 0 none (one or two bytes of address as
 * the number needs), else 1..16383. EMT_ELIMIT. Release in any case. */
EMT_CHECKED enum emt_err hdlc_link_init(struct hdlc_link *l, unsigned client, unsigned server,
                                        unsigned physical);
void hdlc_link_release(struct hdlc_link *l);

/* Each writes one frame. EMT_ESTATE; EMT_ELIMIT no room in out, or longer than the meter takes. */
EMT_CHECKED enum emt_err hdlc_link_connect(struct hdlc_link *l, struct writer *out);
EMT_CHECKED enum emt_err hdlc_link_send(struct hdlc_link *l, const uint8_t *apdu, size_t n,
                                        struct writer *out);
EMT_CHECKED enum emt_err hdlc_link_disconnect(struct hdlc_link *l, struct writer *out);

/* Reads at most one frame; *used tells how many bytes were taken. Bytes before a flag are passed
 * over. EMT_EMALFORMED, EMT_EAUTH (a check sequence), EMT_ECONFLICT (the meter refuses or leaves),
 * EMT_ELIMIT: the link is CLOSED. */
EMT_CHECKED enum emt_err hdlc_link_feed(struct hdlc_link *l, const uint8_t *p, size_t n,
                                        size_t *used, struct writer *out,
                                        enum hdlc_link_event *event);

#endif
