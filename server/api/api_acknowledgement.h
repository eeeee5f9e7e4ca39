/* What was sent as people see it, shared by files, messages and traces. */
#ifndef EMT_API_API_ACKNOWLEDGEMENT_H
#define EMT_API_API_ACKNOWLEDGEMENT_H

#include "api_call.h"

/* In the order of enum export_state. */
extern const char *const api_sent_state_names[];

/* Rows of acknowledgement_note_list(). */
json_t *api_acknowledgement_notes(const struct store_result *r);
/* Sets state, state_at, state_text, delivered_at, due_at, replaces and replaced_by of a file; row
 * -1: none is known. */
void api_sent_file(json_t *j, const struct store_result *facts, int row);

#endif
