/* Messages of the field channel as plain structs; the meaning of each field stands in uplink.proto.
 *
 * Texts and byte strings are borrowed: by the encoder for the call, from the arena after decoding.
 * A NULL text is "". */
#ifndef EMT_WIRE_UPLINK_H
#define EMT_WIRE_UPLINK_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/writer.h"
#include "model/frame_state.h"
#include "model/protocol.h"

#include <stddef.h>
#include <stdint.h>

struct arena;

#define UPLINK_ALPN "emt/1"
#define UPLINK_VERSION 1u
#define UPLINK_MESSAGE_MAX (1024u * 1024u) /* bytes of one Envelope */
#define UPLINK_FRAME_MAX 16384u            /* bytes of one frame's data */
#define UPLINK_FRAMES_MAX 4096u            /* frames in one message */
#define UPLINK_LIST_MAX 256u               /* entries of any other list */
#define UPLINK_TEXT_MAX 4096u              /* bytes of any text */
#define UPLINK_SPOOL_ID_LEN 16
#define UPLINK_KEY_LEN 16
#define UPLINK_PREFIX_LEN 4
#define UPLINK_CSR_MAX 8192u    /* bytes of a certificate request */
#define UPLINK_CHAIN_MAX 65536u /* bytes of a certificate and its chain */

enum uplink_kind {
    UPLINK_HELLO = 1,
    UPLINK_WELCOME,
    UPLINK_FRAMES,
    UPLINK_ACK,
    UPLINK_GAP,
    UPLINK_STATUS,
    UPLINK_LOG,
    UPLINK_PING,
    UPLINK_PONG,
    UPLINK_COMMAND,
    UPLINK_COMMAND_RESULT,
    UPLINK_BYE,
    UPLINK_CREDIT,
    UPLINK_CERTIFICATE_REQUEST,
    UPLINK_CERTIFICATE_ISSUED,
};
const char *uplink_kind_name(enum uplink_kind kind);

struct uplink_hello {
    uint32_t version_min, version_max;
    uint8_t spool_id[UPLINK_SPOOL_ID_LEN];
    uint64_t next_seq, oldest_seq;
    const char *const *capabilities;
    size_t ncapabilities;
    const char *software, *hardware, *serial;
    emt_time sent_at;
};
struct uplink_welcome {
    uint32_t version;
    uint64_t last_seq, credit_bytes;
    const char *const *capabilities;
    size_t ncapabilities;
    uint64_t epoch;
    uint32_t idle_ms;
    emt_time server_time;
    uint32_t max_message, max_frame;
};
struct uplink_frame {
    uint64_t seq;
    emt_time received_at;
    uint32_t protocol; /* as sent: check with `< PROTOCOLS` before use as enum protocol */
    uint32_t format;
    const uint8_t *data;
    size_t len; /* after decoding possibly above UPLINK_FRAME_MAX: such a frame is answered as
                   rejected */
    int32_t rssi_dbm;
};
struct uplink_frames {
    const struct uplink_frame *frames;
    size_t nframes;
};
struct uplink_rejected {
    uint64_t seq;
    const char *reason;
};
struct uplink_ack {
    uint64_t up_to;
    const struct uplink_rejected *rejected;
    size_t nrejected;
    uint64_t credit_bytes;
};
struct uplink_gap {
    uint64_t from, to;
    const char *reason;
};
struct uplink_metric {
    const char *name;
    int64_t value;
};
struct uplink_status {
    emt_time at;
    uint64_t uptime_s, spool_bytes, spool_frames, frames_heard;
    uint32_t load_permille;
    uint64_t memory_free_bytes, disk_free_bytes;
    const struct uplink_metric *metrics;
    size_t nmetrics;
};
struct uplink_log {
    emt_time at;
    uint32_t level;
    const char *text;
};
struct uplink_argument {
    const char *name, *value;
};
struct uplink_command {
    uint8_t idempotency_key[UPLINK_KEY_LEN];
    const char *name;
    const struct uplink_argument *arguments;
    size_t narguments;
    emt_time expires_at; /* EMT_TIME_NONE: never */
};
struct uplink_command_result {
    uint8_t idempotency_key[UPLINK_KEY_LEN];
    uint32_t outcome;
    const char *text;
};
struct uplink_bye {
    const char *reason;
    uint32_t retry_after_ms;
};

struct uplink_certificate_request {
    const uint8_t *csr;
    size_t len;
};
struct uplink_certificate_issued {
    const uint8_t *chain;
    size_t len; /* 0: refused */
    const char *reason;
    uint32_t retry_after_ms;
};

struct uplink_message {
    enum uplink_kind kind;
    union {
        struct uplink_hello hello;
        struct uplink_welcome welcome;
        struct uplink_frames frames;
        struct uplink_ack ack;
        struct uplink_gap gap;
        struct uplink_status status;
        struct uplink_log log;
        uint64_t nonce; /* ping, pong */
        struct uplink_command command;
        struct uplink_command_result command_result;
        struct uplink_bye bye;
        uint64_t credit_bytes; /* credit */
        struct uplink_certificate_request certificate_request;
        struct uplink_certificate_issued certificate_issued;
    } u;
};

/* Length prefix and message, appended to w. EMT_ELIMIT when larger than UPLINK_MESSAGE_MAX, a list,
 * text or frame is beyond its limit or the writer is full; EMT_EMALFORMED a text that is no UTF-8
 * or an unknown kind; EMT_ENOMEM. Every time before 1970-01-01T00:00:00.000001Z is sent as 0 and
 * comes back as EMT_TIME_NONE. */
EMT_CHECKED enum emt_err uplink_encode(const struct uplink_message *m, struct writer *w);

/* Length of the message whose 4 prefix bytes are given, without the prefix. EMT_ELIMIT above
 * UPLINK_MESSAGE_MAX; EMT_EMALFORMED for 0. */
EMT_CHECKED enum emt_err uplink_prefix(const uint8_t prefix[UPLINK_PREFIX_LEN], size_t *len);

/* Decodes one message (without prefix). Everything in *out is in the arena or borrowed from p.
 * EMT_EMALFORMED no protobuf, no body, or a field of the wrong size; EMT_ELIMIT a list or text
 * beyond its limit or the arena is full. */
EMT_CHECKED enum emt_err uplink_decode(const uint8_t *p, size_t len, struct arena *arena,
                                       struct uplink_message *out);

#endif
