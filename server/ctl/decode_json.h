/* A decode result as one line of JSON, for people, tests and scripts. */
#ifndef EMT_CTL_DECODE_JSON_H
#define EMT_CTL_DECODE_JSON_H

#include "base/writer.h"
#include "parsers/decode.h"

struct explanation;

/* id: JSON text of the input's id, "null" for none. Writes the line with its end. ex: becomes the
 * member "explain"; NULL: none. */
void decode_json_put(struct writer *w, const char *id, const struct decode_result *r,
                     const struct explanation *ex);
/* A line that is no JSON object: the shortest answer. */
void decode_json_put_no_json(struct writer *w);
/* A request that cannot be decoded at all. */
void decode_json_put_refusal(struct writer *w, const char *id, enum frame_state state,
                             const char *diag);

#endif
