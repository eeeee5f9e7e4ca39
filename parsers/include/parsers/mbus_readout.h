/* Reading one wired meter out (EN 13757-2 and -3): what a gateway sends, and when it has
 * everything.
 *
 * A pure machine: it knows neither port nor clock. The gateway sends what it asks for, gives back
 * what answers or that nothing did, until it is over:
 *
 *     mbus_readout_primary(&r, 5, storage, sizeof storage);
 *     while (mbus_readout_send(&r, out, &n)) {
 *         … send n bytes, receive until mbus_readout_length() says the frame is complete, or time
 *         out …
 *         mbus_readout_receive(&r, in, received);   (0 bytes: silence, or noise)
 *     }
 *
 * A meter with more records than fit in one frame ends it with DIF 1F; the frame count bit is
 * toggled and it is asked again. All telegrams of the readout stand one behind the other in the
 * storage, and are sent to the server as one frame: decode_frame() joins their records. What the
 * meter has encrypted hides the DIF 1F: such a readout ends after its first telegram. */
#ifndef EMT_PARSERS_MBUS_READOUT_H
#define EMT_PARSERS_MBUS_READOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest frame that is sent, and that comes back. */
#define MBUS_READOUT_SEND_MAX 17
#define MBUS_READOUT_RECEIVE_MAX 261
/* A request without an answer is repeated so often (EN 13757-2). */
#define MBUS_READOUT_RETRIES 2
/* Meters are known that say for ever that more follows. */
#define MBUS_READOUT_TELEGRAMS_MAX 32

enum mbus_readout_state {
    MBUS_READOUT_RESET,   /* SND_NKE: the frame count bit begins anew */
    MBUS_READOUT_SELECT,  /* secondary address: SND_UD with CI 52 */
    MBUS_READOUT_REQUEST, /* REQ_UD2 */
    MBUS_READOUT_DONE,    /* len bytes of storage hold the readout */
    MBUS_READOUT_SILENT,  /* over: the meter does not answer, or not what it was asked for */
};

struct mbus_readout {
    enum mbus_readout_state state;
    uint8_t address; /* where requests go: primary, or 253 for the selected meter */
    bool selects;
    uint8_t secondary[8]; /* ID (BCD, least significant byte first), manufacturer, version, type */
    bool fcb;
    unsigned tries;     /* of the frame that is being sent */
    unsigned telegrams; /* in storage */
    uint8_t *storage;   /* borrowed */
    size_t cap, len;
    size_t last;   /* where the last telegram begins */
    bool repeated; /* the meter sent its last telegram again: it was left out */
    bool cut;      /* more would follow, but storage or MBUS_READOUT_TELEGRAMS_MAX are used up */
};

/* address 1 to 250, or 254 on a line with one meter. Storage lives as long as the readout. */
void mbus_readout_primary(struct mbus_readout *r, uint8_t address, uint8_t *storage, size_t cap);
/* F nibbles of the ID and FF elsewhere stand for anything. */
void mbus_readout_secondary(struct mbus_readout *r, const uint8_t secondary[8], uint8_t *storage,
                            size_t cap);
/* What to send next; false: the readout is over, see state. */
bool mbus_readout_send(const struct mbus_readout *r, uint8_t out[MBUS_READOUT_SEND_MAX], size_t *n);
/* The answer as it came; n = 0: none. */
void mbus_readout_receive(struct mbus_readout *r, const uint8_t *p, size_t n);
/* How long the frame that begins with these n bytes will be; 0: not known yet; 1: one byte, either
 * E5 or noise to be thrown away. */
size_t mbus_readout_length(const uint8_t *p, size_t n);

#endif
