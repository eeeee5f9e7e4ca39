/* Picks texts out of a small JSON object: what an agent needs of an enrolment answer or a problem,
 * without a document model. Strict (RFC 8259): the whole text is checked, whatever is picked. */
#ifndef EMT_AGENT_JSON_PICK_H
#define EMT_AGENT_JSON_PICK_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>

#define JSON_PICK_DEPTH 8 /* nested arrays and objects */

/* The text of member `key` of the object, unescaped, with a closing 0. EMT_EMALFORMED the text is
 * no JSON object, or the member is no string, or it contains U+0000; EMT_ENOTFOUND no such member;
 * EMT_ELIMIT longer than cap - 1 bytes, or nested too deep. */
EMT_CHECKED enum emt_err json_pick_text(const char *text, size_t n, const char *key, char *out,
                                        size_t cap);
/* Element `index` of the array of strings `key`. EMT_ENOTFOUND no such member or element. Otherwise
 * as above. */
EMT_CHECKED enum emt_err json_pick_element(const char *text, size_t n, const char *key,
                                           size_t index, char *out, size_t cap);

#endif
