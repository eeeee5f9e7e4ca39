/* A file is judged while the database takes it in: two cores work at once, and what does not pass
 * is rolled back. */
#ifndef EMT_EXPORT_EXPORT_JUDGE_H
#define EMT_EXPORT_EXPORT_JUDGE_H

#include "base/attr.h"
#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* All borrowed until judge_end(). */
struct export_judge {
    const void *data;
    size_t len;
    const char *name;

    bool alone; /* no thread to be had: judge_end() does the work */
    pthread_t thread;
    enum emt_err err;
    unsigned findings;
};

void judge_begin(struct export_judge *j, const void *data, size_t len, const char *name);
/* Waits. *findings as mscons_check() counts them; its errors. */
EMT_CHECKED enum emt_err judge_end(struct export_judge *j, unsigned *findings);

#endif
