/* What an export says of what did not go out. */
#ifndef EMT_EXPORT_EXPORT_NOTES_H
#define EMT_EXPORT_EXPORT_NOTES_H

#include "base/attr.h"
#include "base/writer.h"

#define EXPORT_NOTES_BYTES_MAX (1u << 20)

/* Notes go to the caller and, with the file, into the database. */
struct export_notes {
    void (*note)(void *ctx, const char *text); /* may be NULL */
    void *ctx;
    struct writer *text; /* may be NULL */
};

/* "PLACE: text". */
void export_note(const struct export_notes *n, const char *place, const char *fmt, ...)
    EMT_PRINTF(3, 4);
/* A line as it is. */
void export_note_line(const struct export_notes *n, const char *line);

#endif
