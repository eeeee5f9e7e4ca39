/* The bodies of SML responses (BSI TR-03109-1 annex IV part b, chapter "SML messages"). Each reads
 * its body behind the tag and puts readings; the reader is failed where the body breaks its layout.
 * More elements than the layout has are passed over. */
#ifndef EMT_PARSERS_SML_BODY_H
#define EMT_PARSERS_SML_BODY_H

#include "sml_context.h"

void sml_open_read(struct sml_context *ctx, struct reader *in);
void sml_close_read(struct sml_context *ctx, struct reader *in);
void sml_get_list_read(struct sml_context *ctx, struct reader *in);
void sml_profile_pack_read(struct sml_context *ctx, struct reader *in);
void sml_profile_list_read(struct sml_context *ctx, struct reader *in);
void sml_proc_parameter_read(struct sml_context *ctx, struct reader *in);
void sml_attention_read(struct sml_context *ctx, struct reader *in);

#endif
