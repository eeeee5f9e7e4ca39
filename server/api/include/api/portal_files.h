/* The built portal, served from memory: what the browser loads before it speaks REST.
 *
 * All files of a folder are read at once, so that no request opens a file: a path is looked up in a
 * table and nothing else. Texts are compressed when they are read. Paths without a file and without
 * a dot are the portal's own routes and get index.html, in which every __CSP_NONCE__ is replaced by
 * a nonce of this answer. */
#ifndef EMT_API_PORTAL_FILES_H
#define EMT_API_PORTAL_FILES_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define PORTAL_FILES_MAX 2000u
#define PORTAL_FILE_BYTES_MAX ((size_t)8 << 20)
#define PORTAL_BYTES_MAX ((size_t)64 << 20) /* all of them, as they stand on disk */
#define PORTAL_DEPTH_MAX 8u                 /* folders below each other */
#define PORTAL_PATH_MAX 256u

struct http_request;
struct http_response;
struct portal_files;

/* Reads the folder; symbolic links and names that begin with a dot are left out. NULL, or a folder
 * that is not there: no portal is built, which `/` then says. EMT_EIO it cannot be read;
 * EMT_EMALFORMED there is no index.html; EMT_ELIMIT; EMT_ENOMEM. Free with portal_files_free(). */
EMT_CHECKED enum emt_err portal_files_new(const char *dir, struct portal_files **out,
                                          struct emt_diag *diag);
void portal_files_free(struct portal_files *p);
/* Reads the folder again; on failure what was read before stays. Any thread. */
EMT_CHECKED enum emt_err portal_files_reload(struct portal_files *p, struct emt_diag *diag);
/* 0 without a portal. */
size_t portal_files_count(struct portal_files *p);

/* Whose path this is: not that of the API (/api, /healthz, and all below). */
bool portal_files_takes(const char *path);
/* The whole answer with all of its headers; its status also in *status. Any thread. */
EMT_CHECKED enum emt_err portal_files_answer(struct portal_files *p, const struct http_request *req,
                                             struct http_response *out, unsigned *status);

#endif
