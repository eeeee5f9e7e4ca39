/* The messages of one place: readings out of the store, documents into the file. */
#ifndef EMT_EXPORT_MSCONS_PLACE_H
#define EMT_EXPORT_MSCONS_PLACE_H

#include "connectors/mscons_write.h"
#include "export/mscons_export.h"

struct store_result;

/* One file under way. */
struct mscons_run {
    struct store *store;
    const struct mscons_export_request *req;
    const struct mscons_export_handler *handler;
    struct mscons_writer *writer;
    const char *reference;
    int32_t tolerance_s;
    unsigned documents; /* numbered so far */
    const char *receiver;
    bool mandates; /* the receiver needs one for each day */
};

/* Puts the messages of the place in rows [first, end) of export_bindings(). What cannot be sent is
 * noted and left out; an error is one of the database, of memory or of the sink. */
EMT_CHECKED enum emt_err mscons_place(struct mscons_run *run, const struct store_result *rows,
                                      int first, int end);

/* A note of the run: "PLACE: text". */
void mscons_note(const struct mscons_run *run, const char *place, const char *fmt, ...)
    EMT_PRINTF(3, 4);

#endif
