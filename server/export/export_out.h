/* The file under way: numbered, written to memory, judged, kept with its messages in one
 * transaction; then the next one. */
#ifndef EMT_EXPORT_EXPORT_OUT_H
#define EMT_EXPORT_EXPORT_OUT_H

#include "connectors/mscons_number.h"
#include "connectors/mscons_write.h"
#include "export/mscons_export.h"
#include "export_notes.h"

struct export_message_row;
struct export_messages;
struct export_tenant;

struct export_out {
    struct store *store;
    const struct mscons_export_request *req;
    const struct mscons_export_handler *handler;
    const struct export_tenant *tenant;
    const char *receiver;
    char holder[64]; /* who holds the messages: the receiver, "test:" before it in test files, which
                        are nothing that was sent */
    struct export_notes notes; /* to the caller and into the file's row */
    struct writer note_text;
    size_t bytes_max;
    int messages_max;
    int part; /* number of the next file of this receiver */

    /* One file. */
    bool begun;
    struct sink sink;
    struct export_file head;
    char reference[MSCONS_NUMBER_MAX];
    struct mscons_writer writer;
    struct writer content;
    struct export_messages *messages;
    emt_time created; /* DTM+137 of the file that is begun next, at the earliest */
    bool refused;     /* it was judged, and is not kept */
    unsigned epoch;   /* counts files: what was read before may be known to others since */
    /* Counts files before which somebody else wrote one: what was read before may be older than
       what he sent. */
    unsigned strangers;
};

/* Begins the transaction and takes the first number. */
EMT_CHECKED enum emt_err out_open(struct export_out *o, struct store *s,
                                  const struct mscons_export_request *req,
                                  const struct mscons_export_handler *handler,
                                  const struct export_tenant *tenant, const char *receiver,
                                  struct emt_diag *diag);
/* Whether `version`, the latest that a message takes the place of (0: none), is dated so far ahead
 * that nothing may go out in its place now; why says so. */
bool out_is_ahead(const struct export_out *o, emt_time version, struct emt_diag *why);
/* Before the messages of one place and day, or period: closes the file when up to `bytes` and
 * `messages` more would be too much, or when it is not younger than `version`, which is not ahead.
 * Any error ends the export: the file, if one was closed, is not kept, or could not be handed out.
 */
EMT_CHECKED enum emt_err out_room(struct export_out *o, const char *place, emt_time from,
                                  size_t bytes, int messages, emt_time version,
                                  struct emt_diag *diag);
/* Number of the next document into out, which holds 36. */
void out_document_number(const struct export_out *o, char out[36]);
/* Puts the document; row names what it carries (number, bytes and version are filled in). Errors as
 * mscons_put(). */
EMT_CHECKED enum emt_err out_put(struct export_out *o, const struct export_document *doc,
                                 struct export_message_row *row, struct emt_diag *diag);
/* Closes the last file. Without a message there is none. */
EMT_CHECKED enum emt_err out_close(struct export_out *o, struct emt_diag *diag);
/* Always, at the end: gives up what is not committed. */
void out_release(struct export_out *o);

#endif
