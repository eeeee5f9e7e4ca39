/* Files as wholes. */
#ifndef EMT_BASE_FILE_H
#define EMT_BASE_FILE_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whole content with a closing 0 that *len does not count; free() it. EMT_ENOTFOUND, EMT_EIO,
 * EMT_ELIMIT (larger than limit). */
EMT_CHECKED enum emt_err file_read(const char *path, size_t limit, char **out, size_t *len,
                                   struct emt_diag *diag);
/* Replaces the file in one step (temporary file in the same folder, fsync, rename, fsync of the
 * folder). */
EMT_CHECKED enum emt_err file_write(const char *path, const void *p, size_t n, mode_t mode,
                                    struct emt_diag *diag);
/* As above, but EMT_ECONFLICT when the path exists. */
EMT_CHECKED enum emt_err file_create(const char *path, const void *p, size_t n, mode_t mode,
                                     struct emt_diag *diag);
/* Makes the folder and its parents; EMT_OK when it is there. */
EMT_CHECKED enum emt_err file_mkdirs(const char *path, mode_t mode, struct emt_diag *diag);
/* "dir/name" into buf; EMT_ELIMIT when it does not fit. */
EMT_CHECKED enum emt_err file_join(char *buf, size_t size, const char *dir, const char *name);

#endif
