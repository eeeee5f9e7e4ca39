#include "export_feed.h"

#include "store/export_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

struct feed_page *page_ref(struct feed_page *p)
{
    p->holders++;
    return p;
}

void page_unref(struct feed_page *p)
{
    if (p == NULL || --p->holders > 0)
        return;
    store_result_free(p->rows);
    free(p);
}

enum emt_err feed_open(struct export_feed *f, struct store *s, int32_t tenant, unsigned kinds,
                       const char *location, int64_t of_file, emt_time from, emt_time to)
{
    *f = (struct export_feed){ .store = s };
    enum emt_err err = export_places_open(s, tenant, kinds, location, of_file, from, to, &f->total);
    f->open = err == EMT_OK;
    return err;
}

void feed_close(struct export_feed *f)
{
    page_unref(f->page);
    f->page = NULL;
    if (f->open)
        export_places_close(f->store);
    f->open = false;
}

static enum emt_err next_page(struct export_feed *f, struct feed_page **out)
{
    struct feed_page *p = calloc(1, sizeof *p);
    enum emt_err err = EMT_ENOMEM;

    *out = NULL;
    if (p != NULL)
        err = export_places_next(f->store, &p->rows, &p->n, &f->cut);
    if (err != EMT_OK) {
        free(p);
        return err;
    }
    p->holders = 1;
    if (p->n > 0)
        *out = p;
    else
        page_unref(p);
    return EMT_OK;
}

/* Rows of a place beyond its page are more registers than any place may have: it was said there. */
static int rest_of(const struct feed_page *before, const struct feed_page *p)
{
    int at = 0;

    while (p != NULL && at < p->n && strcmp(page_place(p, at), page_place(before, 0)) == 0)
        at++;
    return at;
}

enum emt_err feed_fill(struct export_feed *f)
{
    enum emt_err err = EMT_OK;

    while (err == EMT_OK && (f->page == NULL ? f->passed == 0 : f->at == f->page->n)) {
        struct feed_page *before = f->page;
        bool cut = f->cut;

        err = next_page(f, &f->page);
        f->at = err == EMT_OK && cut && before != NULL ? rest_of(before, f->page) : 0;
        page_unref(before);
        if (f->page == NULL)
            break;
    }
    return err;
}

int page_place_end(const struct feed_page *p, int first)
{
    int i = first + 1;

    while (i < p->n && strcmp(page_place(p, i), page_place(p, first)) == 0)
        i++;
    return i;
}

const char *page_receiver(const struct feed_page *p, int row)
{
    return c_text(p->rows, row, EXPORT_RECEIVER);
}

const char *page_place(const struct feed_page *p, int row)
{
    return c_text(p->rows, row, EXPORT_LOCATION_CODE);
}

void feed_pass(struct export_feed *f, int end, int places)
{
    f->at = end;
    f->passed += places;
}
