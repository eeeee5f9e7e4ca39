/* What the messages of one SML file tell each other while it is decoded. */
#ifndef EMT_PARSERS_SML_CONTEXT_H
#define EMT_PARSERS_SML_CONTEXT_H

#include "base/reader.h"
#include "common/decode_build.h"
#include "sml_quirk.h"
#include "sml_time.h"
#include "sml_transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sml_context {
    struct decode_build b;
    const uint8_t *frame;   /* with envelope; NULL: the file came bare */
    struct sml_frame where; /* of the envelope */

    const uint8_t *server; /* of the first list, profile or tree; borrowed from the body */
    size_t server_len;
    const uint8_t *opener; /* of the open response */
    size_t opener_len;
    unsigned lists;   /* list responses of that server */
    unsigned foreign; /* lists of a second server: not decoded */

    unsigned quirks[SML_QUIRKS]; /* how often each was met */
    unsigned responses;          /* messages that carry data */
    unsigned requests;
    unsigned unknown;  /* messages with a tag that we do not know */
    unsigned timeless; /* profile rows without a wall clock time: left out */
    bool has_status;
    uint64_t status; /* the first status word */
};

/* Notes whose data follow. False where they are of another server than the first: to be passed
 * over. */
bool sml_context_server(struct sml_context *ctx, const uint8_t *p, size_t n);
/* What was read from `start` on, with the readings from number `first` on, for the trace. */
static inline void sml_context_record(struct sml_context *ctx, const struct reader *in,
                                      const uint8_t *start, unsigned first, const char *text)
{
    if (ctx->b.trace && !in->failed)
        decode_build_record(&ctx->b, start, (size_t)(in->data + in->pos - start), first, text);
}
/* A time, with its defect counted. */
void sml_context_time(struct sml_context *ctx, struct reader *in, struct sml_time *out);

#endif
