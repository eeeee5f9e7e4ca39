/* Record areas by themselves: walk, meaning, dates, values, profiles. */
#include "base/arena.h"
#include "mbus/mbus_date.h"
#include "mbus/mbus_meaning.h"
#include "mbus/mbus_profile.h"
#include "mbus/mbus_record.h"
#include "mbus/mbus_value.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static enum emt_err count_element(void *ctx, const struct mbus_profile_element *e)
{
    unsigned *n = ctx;
    char text[MBUS_DATE_TEXT_MAX];

    if (e->has_date)
        mbus_date_text(&e->date, text);
    ++*n;
    return EMT_OK;
}

static void check_profile(const struct mbus_record *rec)
{
    static const uint8_t kinds[] = { MBUS_PROFILE_INVERSE, MBUS_PROFILE_WITH_REGISTER,
                                     MBUS_PROFILE_COMPACT };
    struct mbus_profile_base base = { true, INT64_MAX - 100, true, { { 0 }, true, true, false } };
    unsigned n = 0;

    base.date.at = (struct civil){ 2020, 2, 29, 23, 59, 59, 0 };
    for (size_t i = 0; i < sizeof kinds; i++) {
        enum emt_err err = mbus_profile_walk(rec, kinds[i], &base, count_element, &n);

        must(err == EMT_OK || err == EMT_EMALFORMED);
    }
    must(n <= 3 * rec->value_len);
}

static void check_record(struct arena *arena, const struct mbus_record *rec)
{
    struct mbus_meaning meaning;
    struct mbus_value value;
    struct mbus_date date;
    const char *text = NULL;

    if (rec->tail)
        return;
    must(rec->vif_len >= 1 && rec->vif_len <= MBUS_VIB_MAX);
    mbus_meaning_of(rec, &meaning);
    must(memchr(meaning.qualifier, 0, sizeof meaning.qualifier) != NULL);
    must(meaning.factor > 0);
    must(mbus_value_of(arena, rec, true, &value) == EMT_OK);
    must(mbus_value_identifier(arena, rec, &text) == EMT_OK && text);
    if (mbus_date_read(rec->value, rec->value_len, &date) && date.has_date)
        must(mbus_date_instant(&date) != EMT_TIME_NONE);
    if (rec->coding == MBUS_VARIABLE)
        check_profile(rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    struct reader in = reader_of(data, size);
    struct mbus_record rec;
    unsigned n = 0, count = 0;
    enum emt_err err;

    if (!arena)
        arena = arena_new(0);
    arena_reset(arena);
    while ((err = mbus_record_decode(&in, &rec)) == EMT_OK) {
        check_record(arena, &rec);
        n++;
    }
    must((mbus_records_check(data, size, &count) == EMT_OK) == (err == EMT_ENOTFOUND));
    must(n == count);
    return 0;
}
