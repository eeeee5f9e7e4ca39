/* The places of a tenant, page by page, in the order of receivers and places: memory for a page or
 * two, however many there are. */
#ifndef EMT_EXPORT_EXPORT_FEED_H
#define EMT_EXPORT_EXPORT_FEED_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_result;

/* Some rows with the columns of export_places_next(); rows and their texts stand as long as
 * somebody holds it. */
struct feed_page {
    struct store_result *rows;
    int n;
    unsigned holders;
};
struct feed_page *page_ref(struct feed_page *p);
void page_unref(struct feed_page *p); /* NULL is fine */

struct export_feed {
    struct store *store;
    bool open;
    struct feed_page *page; /* NULL: none yet, or the end */
    int at;                 /* its next row */
    bool cut;               /* the page ends inside of its one place */
    int64_t total, passed;  /* places */
};

/* Inside a transaction, which then has to be committed. feed_close() in any case. */
EMT_CHECKED enum emt_err feed_open(struct export_feed *f, struct store *s, int32_t tenant,
                                   unsigned kinds, const char *location, int64_t of_file,
                                   emt_time from, emt_time to);
void feed_close(struct export_feed *f);
/* Brings the next page when this one is used up; f->page is NULL behind the last. */
EMT_CHECKED enum emt_err feed_fill(struct export_feed *f);
/* End of the rows of the place that begins at row `first`. */
int page_place_end(const struct feed_page *p, int first);
const char *page_receiver(const struct feed_page *p, int row);
const char *page_place(const struct feed_page *p, int row);
/* The rows up to `end` are done. */
void feed_pass(struct export_feed *f, int end, int places);

#endif
