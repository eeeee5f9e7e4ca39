/* Users as JSON, for the files about them. */
#ifndef EMT_API_API_USER_H
#define EMT_API_API_USER_H

#include "api_call.h"
#include "store/user_store.h"

#define API_MEMBERSHIPS_MAX 200

extern const char *const api_platform_role_names[4]; /* by enum platform_role */

/* A row of user_list() or user_get(). NULL: out of memory. */
json_t *api_user_row(const struct store_result *r, int row);
/* The user as it is now. EMT_ENOTFOUND; EMT_ENOMEM. */
EMT_CHECKED enum emt_err api_user_json(struct store *admin, int64_t id, json_t **out);
/* Letters, digits and . _ @ + - of small ASCII: two names that look alike are the same. false:
 * problem answered. */
bool api_user_name_good(struct api_call *c, const char *name);
/* {"user": user, "password": password}, 201; steals user. */
enum emt_err api_user_created(struct api_call *c, json_t *user, const char *password);
/* A transaction of the admin connection. */
EMT_CHECKED enum emt_err api_user_begin(struct api_call *c);
/* Ends it, whatever err: commits what went well; a refusal that was answered already, or a failure,
 * which is answered here, takes everything back. */
EMT_CHECKED enum emt_err api_user_settle(struct api_call *c, enum emt_err err);
/* Answers {"password"} with a new one-time password, whose hash give() sets within such a
 * transaction, or refuses. The answer is not kept for a repeated request. */
EMT_CHECKED enum emt_err api_user_reset_by(struct api_call *c,
                                           enum emt_err (*give)(struct api_call *c, int64_t id,
                                                                const char *hash));

#endif
