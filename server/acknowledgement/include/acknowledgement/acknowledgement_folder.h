/* Answers that come as files: ROOT/<tenant's number>/acknowledgements/ is looked through now and
 * then. What was taken goes to done/ in it, what cannot be read to refused/, with a warning.
 *
 * Only plain files that do not begin with a dot and do not end in .part or .tmp are looked at; no
 * link is followed. A file that ends too early may still be on its way in: it is left alone for a
 * while. */
#ifndef EMT_ACKNOWLEDGEMENT_FOLDER_H
#define EMT_ACKNOWLEDGEMENT_FOLDER_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdint.h>

struct store;

#define ACKNOWLEDGEMENT_FOLDER "acknowledgements"
#define ACKNOWLEDGEMENT_UNFINISHED_S 600

struct acknowledgement_folder_result {
    unsigned taken, repeated, refused;
};

/* app: a synchronous store of role STORE_APP outside of a transaction. EMT_OK also where nothing is
 * there; EMT_EIO the root cannot be read; EMT_EDB. */
EMT_CHECKED enum emt_err acknowledgement_folder_step(struct store *app, const char *root,
                                                     emt_time now,
                                                     struct acknowledgement_folder_result *out);

#endif
