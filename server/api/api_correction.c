/* What people decide about values: corrections, their withdrawal, conflicts, and the versions
 * behind a value (docs/generic-schema.md). */
#include "api_route.h"
#include "api_text.h"
#include "model/quality.h"
#include "model/reading.h"
#include "store/calculated_store.h"
#include "store/correction_store.h"
#include "store/device_store.h"
#include "store/value_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define VALUES_MAX 1000
#define REASON_MAX 500
#define METHOD_MAX 200
#define CHANNEL_KIND 3
#define AHEAD_MOST (2 * EMT_DAY)

static const char *const outcome_names[] = { "written", "unchanged", "outranked" };

/* ---- reading the body ---- */

struct wanted {
    struct value_change change;
    const char *reason, *method; /* borrowed from the body */
};

static enum emt_err refuse(struct api_call *c, size_t i, const char *field, const char *what)
{
    char name[48];

    snprintf(name, sizeof name, "values.%zu.%s", i, field);
    return api_problem(c, 400, "invalid", name, "%s: %s", name, what);
}

/* A text of an item; NULL when it is absent, or the problem is answered (*ok). */
static const char *item_text(struct api_call *c, size_t i, const json_t *item, const char *name,
                             size_t most, bool required, bool *ok)
{
    const json_t *j = json_object_get(item, name);
    const char *text = json_string_value(j);
    size_t n = json_string_length(j);

    if (j == NULL && !required)
        return NULL;
    if (text != NULL && strlen(text) == n && n > 0 && text_length(text) <= most)
        return text;
    *ok = false;
    (void)refuse(c, i, name, "must be a text that is neither empty nor too long");
    return NULL;
}

static bool known_members(struct api_call *c, size_t i, json_t *item)
{
    static const char *const names[] = { "ts",     "value",  "quality",
                                         "reason", "method", "over_measured" };
    const char *key;
    json_t *value;

    if (!json_is_object(item)) {
        (void)refuse(c, i, "ts", "must be a member of an object");
        return false;
    }
    json_object_foreach(item, key, value)
    {
        bool known = false;

        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            known = known || strcmp(key, names[k]) == 0;
        if (!known) {
            (void)api_problem(c, 400, "invalid", "values",
                              "values.%zu: has a member that is not known", i);
            return false;
        }
    }
    return true;
}

/* False: the problem is answered. */
static bool read_quality(struct api_call *c, size_t i, const json_t *item, const char *name,
                         struct block_value *v)
{
    const json_t *over = json_object_get(item, "over_measured");
    enum quality q;

    if (quality_parse(name, &q) != EMT_OK || q == QUALITY_MEASURED) {
        (void)refuse(c, i, "quality",
                     "must be substitute, estimated, provisional, invalid or corrected");
        return false;
    }
    if (over != NULL && !json_is_boolean(over)) {
        (void)refuse(c, i, "over_measured", "must be true or false");
        return false;
    }
    v->quality = (int16_t)q;
    if (q == QUALITY_CORRECTED || json_is_true(over))
        v->quality |= QUALITY_BY_HAND;
    return true;
}

static bool read_value(struct api_call *c, size_t i, json_t *item, struct wanted *out)
{
    struct decimal value;
    bool ok = known_members(c, i, item);
    const char *ts = ok ? item_text(c, i, item, "ts", 40, true, &ok) : NULL;
    const char *text = ok ? item_text(c, i, item, "value", 40, true, &ok) : NULL;
    const char *quality = ok ? item_text(c, i, item, "quality", 20, true, &ok) : NULL;

    out->reason = ok ? item_text(c, i, item, "reason", REASON_MAX, true, &ok) : NULL;
    out->method = ok ? item_text(c, i, item, "method", METHOD_MAX, false, &ok) : NULL;
    if (!ok)
        return false;
    out->change = (struct value_change){ .reason = out->reason };
    if (time_parse(ts, &out->change.v.ts) != EMT_OK || out->change.v.ts < 0 ||
        out->change.v.ts > c->now + AHEAD_MOST) {
        (void)refuse(c, i, "ts", "must be a time, two days ahead at most");
        return false;
    }
    if (decimal_parse(text, strlen(text), &value) != EMT_OK) {
        (void)refuse(c, i, "value", "must be a decimal, as \"12.30\"");
        return false;
    }
    out->change.v.mantissa = value.mantissa;
    out->change.v.exponent = value.exponent;
    return read_quality(c, i, item, quality, &out->change.v);
}

static int compare_times(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;

    return (x->change.v.ts > y->change.v.ts) - (x->change.v.ts < y->change.v.ts);
}

/* NULL: out of memory, or the problem is answered. free() it. */
static struct wanted *read_values(struct api_call *c, json_t *list, size_t *n)
{
    struct wanted *all;
    bool ok = true;

    *n = json_array_size(list);
    all = calloc(*n, sizeof *all);
    for (size_t i = 0; all != NULL && ok && i < *n; i++)
        ok = read_value(c, i, json_array_get(list, i), &all[i]);
    if (all == NULL || !ok) {
        free(all);
        return NULL;
    }
    qsort(all, *n, sizeof *all, compare_times);
    for (size_t i = 1; i < *n; i++) {
        if (all[i].change.v.ts == all[i - 1].change.v.ts) {
            (void)api_problem(c, 400, "invalid", "values", "values: a time stands there twice");
            free(all);
            return NULL;
        }
    }
    return all;
}

/* ---- writing ---- */

/* What is computed from these values is computed again. */
static enum emt_err recompute(struct api_call *c, int64_t channel, emt_time from, emt_time to)
{
    c->wake = true;
    return calculation_touch(c->store, c->tenant, channel, from, to);
}

/* Values of a channel that has numbers. */
static enum emt_err check_channel(struct api_call *c, int64_t channel)
{
    struct store_result *r = NULL;
    enum emt_err err = channel_get(c->store, c->tenant, channel, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "channel");
    int kind = (int)c_int(r, 0, CHANNEL_KIND);
    store_result_free(r);
    if (kind == READING_TEXT || kind == READING_RAW)
        return api_problem(c, 409, "conflict", NULL,
                           "the channel is of texts: they are not corrected");
    return EMT_OK;
}

struct made {
    struct value_change *changes;
    struct correction *list;
    int64_t *ids; /* of each change, 0: none */
    size_t n;
};

static bool made_init(struct made *m, size_t n)
{
    m->n = n;
    m->changes = calloc(n, sizeof *m->changes);
    m->list = calloc(n, sizeof *m->list);
    m->ids = calloc(n, sizeof *m->ids);
    return m->changes != NULL && m->list != NULL && m->ids != NULL;
}

static void made_release(struct made *m)
{
    free(m->changes);
    free(m->list);
    free(m->ids);
}

/* Notes those that were written; their numbers into m->ids. */
static enum emt_err note_corrections(struct api_call *c, int64_t channel, struct made *m,
                                     const struct wanted *all, const struct value_who *who)
{
    struct store_result *r = NULL;
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        const struct value_change *v = &m->changes[i];

        if (v->outcome == VALUE_WRITTEN)
            m->list[n++] = (struct correction){ .v = v->v,
                                                .reason = all[i].reason,
                                                .method = all[i].method ? all[i].method : "",
                                                .had = v->had,
                                                .before = v->before };
    }
    if (n == 0)
        return EMT_OK;
    enum emt_err err = correction_insert(c->store, c->tenant, channel, m->list, n, who, &r);
    if (err != EMT_OK)
        return err;
    for (int k = 0; k < store_rows(r); k++) {
        for (size_t i = 0; i < m->n; i++) {
            if (m->changes[i].v.ts == c_time(r, k, 1) && m->changes[i].outcome == VALUE_WRITTEN)
                m->ids[i] = c_int(r, k, 0);
        }
    }
    store_result_free(r);
    return recompute(c, channel, m->list[0].v.ts, m->list[n - 1].v.ts + 1);
}

static json_t *made_json(const struct made *m)
{
    json_t *items = json_array();

    for (size_t i = 0; i < m->n; i++) {
        const struct value_change *v = &m->changes[i];
        json_t *had =
            v->had ? api_decimal(decimal_of(v->before.mantissa, v->before.exponent)) : json_null();
        json_t *j = json_pack("{s:o, s:s, s:o}", "ts", api_time(v->v.ts), "outcome",
                              outcome_names[v->outcome], "before", had);

        json_object_set_new(j, "correction", m->ids[i] ? json_integer(m->ids[i]) : json_null());
        json_array_append_new(items, j);
    }
    return json_pack("{s:o}", "items", items);
}

static enum emt_err correct(struct api_call *c, int64_t channel, const struct wanted *all, size_t n)
{
    const struct value_who who = { c->who.actor, c->now };
    struct made m = { 0 };
    size_t written = 0;
    enum emt_err err = made_init(&m, n) ? EMT_OK : EMT_ENOMEM;

    for (size_t i = 0; err == EMT_OK && i < n; i++)
        m.changes[i] = all[i].change;
    if (err == EMT_OK)
        err = value_change(c->store, c->tenant, channel, VALUE_BY_RANK, m.changes, n, &who);
    if (err == EMT_OK)
        err = note_corrections(c, channel, &m, all, &who);
    for (size_t i = 0; err == EMT_OK && i < n; i++)
        written += m.changes[i].outcome == VALUE_WRITTEN;
    if (err == EMT_OK && written > 0)
        err =
            api_audit(c, "readings.correct", c->param[0], "%zu values: %s", written, all[0].reason);
    err = err == EMT_OK ? api_json(c, 200, made_json(&m)) : api_store_problem(c, err, "channel");
    made_release(&m);
    return err;
}

enum emt_err api_correction_create(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "values", FIELD_LIST, true, false, 1, VALUES_MAX, NULL },
    };
    struct api_value v[1];
    json_t *body = NULL;
    int64_t channel = 0;
    size_t n = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "channel", &channel))
        return EMT_OK;
    enum emt_err err = check_channel(c, channel);
    if (err != EMT_OK || c->status != 0)
        return err;
    api_body(c, fields, 1, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    struct wanted *all = read_values(c, v[0].object, &n);
    if (all != NULL)
        err = correct(c, channel, all, n);
    else if (c->status == 0)
        err = EMT_ENOMEM;
    free(all);
    json_decref(body);
    return err;
}

/* ---- showing ---- */

static json_t *value_json(const struct store_result *r, int row, int column)
{
    if (c_null(r, row, column))
        return json_null();
    return api_decimal(decimal_of(c_int(r, row, column), (int)c_int(r, row, column + 1)));
}

static json_t *quality_json(const struct store_result *r, int row, int column)
{
    if (c_null(r, row, column))
        return json_null();
    return json_string(quality_name(quality_of_stored((int)c_int(r, row, column))));
}

static json_t *text_or_null(const struct store_result *r, int row, int column)
{
    return c_null(r, row, column) ? json_null() : json_string(c_text(r, row, column));
}

static json_t *correction_json(const struct store_result *r, int row)
{
    bool by_hand = (c_int(r, row, CORRECTION_QUALITY) & QUALITY_BY_HAND) != 0;
    json_t *j = json_pack(
        "{s:I, s:o, s:o, s:o, s:b, s:o, s:o, s:s, s:s}", "id",
        (json_int_t)c_int(r, row, CORRECTION_ID), "ts", api_time(c_time(r, row, CORRECTION_TS)),
        "value", value_json(r, row, CORRECTION_MANTISSA), "quality",
        quality_json(r, row, CORRECTION_QUALITY), "over_measured", (int)by_hand, "before",
        value_json(r, row, CORRECTION_HAD_MANTISSA), "before_quality",
        quality_json(r, row, CORRECTION_HAD_QUALITY), "reason", c_text(r, row, CORRECTION_REASON),
        "method", c_text(r, row, CORRECTION_METHOD));
    json_t *rest = json_pack("{s:o, s:s, s:o, s:o, s:o}", "made_at",
                             api_time(c_time(r, row, CORRECTION_MADE_AT)), "made_by",
                             c_text(r, row, CORRECTION_MADE_BY), "withdrawn_at",
                             api_time(c_time(r, row, CORRECTION_WITHDRAWN_AT)), "withdrawn_by",
                             text_or_null(r, row, CORRECTION_WITHDRAWN_BY), "withdrawn_reason",
                             text_or_null(r, row, CORRECTION_WITHDRAWN_REASON));

    json_object_update(j, rest);
    json_decref(rest);
    return j;
}

/* The channel of the path exists; false: answered, or *err. */
static bool known_channel(struct api_call *c, int64_t *channel, enum emt_err *err)
{
    struct store_result *r = NULL;

    *err = EMT_OK;
    if (!api_param_number(c, 0, "channel", channel))
        return false;
    *err = channel_get(c->store, c->tenant, *channel, &r);
    if (*err != EMT_OK) {
        *err = api_store_problem(c, *err, "channel");
        return false;
    }
    store_result_free(r);
    return true;
}

enum emt_err api_correction_list(struct api_call *c)
{
    emt_time from = EMT_TIME_NONE, to = EMT_TIME_NONE;
    struct store_result *r = NULL;
    struct api_page page;
    int64_t channel = 0;
    enum emt_err err;

    if (!api_page_read(c, 1000, 100, true, &page) || !api_query_time(c, "from", &from) ||
        !api_query_time(c, "to", &to) || !known_channel(c, &channel, &err))
        return c->status != 0 ? EMT_OK : err;
    err = correction_list(c->store, c->tenant, channel, from, to, page.cursor_number,
                          page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, correction_json)
                         : api_store_problem(c, err, "corrections");
}

static json_t *version_json(const struct store_result *r, int row)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:s}", "ts", api_time(c_time(r, row, 1)), "value",
                     value_json(r, row, 2), "quality", quality_json(r, row, 4), "replaced_at",
                     api_time(c_time(r, row, 5)), "replaced_by", c_text(r, row, 6), "reason",
                     c_text(r, row, 7));
}

/* "µs.µs" of a page before; false: the problem is answered. */
static bool read_cursor(struct api_call *c, const char *cursor, emt_time *ts, emt_time *replaced)
{
    char extra;

    *ts = *replaced = EMT_TIME_NONE;
    if (*cursor == '\0' || sscanf(cursor, "%" SCNd64 ".%" SCNd64 "%c", ts, replaced, &extra) == 2)
        return true;
    (void)api_problem(c, 400, "invalid", "cursor", "cursor: is none of ours");
    return false;
}

enum emt_err api_history_list(struct api_call *c)
{
    emt_time from = 0, to = c->now + AHEAD_MOST, ts, replaced;
    struct store_result *r = NULL;
    struct api_page page;
    int64_t channel = 0;
    enum emt_err err = EMT_OK;

    if (!api_page_read(c, 1000, 100, false, &page) || !api_query_time(c, "from", &from) ||
        !api_query_time(c, "to", &to) || !read_cursor(c, page.cursor, &ts, &replaced) ||
        !known_channel(c, &channel, &err))
        return c->status != 0 ? EMT_OK : err;
    err = history_list(c->store, c->tenant, channel, from, to, ts, replaced, page.limit + 1, &r);
    return err == EMT_OK ? api_page_answer(c, r, page.limit, NULL, 0, version_json)
                         : api_store_problem(c, err, "history");
}

/* ---- withdrawing ---- */

/* What stood before the correction comes back; EMT_ESTATE: something else stands there by now. */
static enum emt_err put_back(struct api_call *c, int64_t channel, const struct store_result *r,
                             const char *reason)
{
    const struct value_who who = { c->who.actor, c->now };
    struct value_change change = { .reason = reason };
    int64_t id = c_int(r, 0, CORRECTION_ID), newest = 0;

    change.v.ts = c_time(r, 0, CORRECTION_TS);
    change.remove = c_null(r, 0, CORRECTION_HAD_MANTISSA);
    change.v.mantissa = c_int(r, 0, CORRECTION_HAD_MANTISSA);
    change.v.exponent = (int16_t)c_int(r, 0, CORRECTION_HAD_EXPONENT);
    change.v.quality = (int16_t)c_int(r, 0, CORRECTION_HAD_QUALITY);
    enum emt_err err = correction_newest(c->store, c->tenant, channel, change.v.ts, &newest);
    if (err == EMT_OK && newest != id)
        return EMT_ESTATE;
    if (err == EMT_OK)
        err = value_change(c->store, c->tenant, channel, VALUE_ALWAYS, &change, 1, &who);
    if (err != EMT_OK)
        return err;
    if (!change.had || change.before.quality != (int16_t)c_int(r, 0, CORRECTION_QUALITY) ||
        decimal_compare(decimal_of(change.before.mantissa, change.before.exponent),
                        decimal_of(c_int(r, 0, CORRECTION_MANTISSA),
                                   (int)c_int(r, 0, CORRECTION_EXPONENT))) != 0)
        return EMT_ESTATE; /* the transaction ends without it */
    err = correction_withdraw(c->store, c->tenant, id, &who, reason);
    return err == EMT_OK ? recompute(c, channel, change.v.ts, change.v.ts + 1) : err;
}

static enum emt_err withdraw(struct api_call *c, int64_t channel, int64_t id, const char *reason)
{
    struct store_result *r = NULL;
    enum emt_err err = correction_lock(c->store, c->tenant, channel, id, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "correction");
    bool over = !c_null(r, 0, CORRECTION_WITHDRAWN_AT);
    err = over ? EMT_ESTATE : put_back(c, channel, r, reason);
    store_result_free(r);
    if (err == EMT_ESTATE)
        return api_problem(c, 409, "conflict", NULL,
                           over ? "the correction is withdrawn already"
                                : "another value stands there by now");
    if (err == EMT_OK)
        err = api_audit(c, "readings.withdraw", c->param[0], "correction %" PRId64 ": %s", id,
                        reason);
    if (err == EMT_OK)
        err = correction_lock(c->store, c->tenant, channel, id, &r);
    if (err != EMT_OK)
        return api_store_problem(c, err, "correction");
    json_t *j = correction_json(r, 0);
    store_result_free(r);
    return api_json(c, 200, j);
}

enum emt_err api_correction_withdraw(struct api_call *c)
{
    static const struct api_field fields[] = {
        { "reason", FIELD_TEXT, true, false, 1, REASON_MAX, NULL },
    };
    struct api_value v[1];
    json_t *body = NULL;
    int64_t channel = 0, id = 0;
    bool ok = false;

    if (!api_param_number(c, 0, "channel", &channel) || !api_param_number(c, 1, "correction", &id))
        return EMT_OK;
    api_body(c, fields, 1, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    enum emt_err err = withdraw(c, channel, id, v[0].text);
    json_decref(body);
    return err;
}

/* ---- conflicts ---- */

struct decision {
    int64_t channel;
    emt_time ts;
    struct decimal value;
    bool take;
    const char *reason;
};

/* The value is put as the person's, so that the other one does not contradict it again. */
static enum emt_err take(struct api_call *c, const struct decision *d, const struct block_value *v,
                         const struct value_who *who)
{
    struct value_change change = { .v = *v, .reason = d->reason };
    struct store_result *r = NULL;
    enum emt_err err = value_change(c->store, c->tenant, d->channel, VALUE_ALWAYS, &change, 1, who);

    if (err != EMT_OK || change.outcome != VALUE_WRITTEN)
        return err;
    const struct correction made = { .v = change.v,
                                     .reason = d->reason,
                                     .method = "conflict",
                                     .had = change.had,
                                     .before = change.before };
    err = correction_insert(c->store, c->tenant, d->channel, &made, 1, who, &r);
    if (err != EMT_OK)
        return err;
    store_result_free(r);
    return recompute(c, d->channel, d->ts, d->ts + 1);
}

static enum emt_err decide(struct api_call *c, const struct decision *d)
{
    const struct value_who who = { c->who.actor, c->now };
    struct block_value v = { .ts = d->ts };
    struct store_result *r = NULL;
    enum emt_err err = conflict_lock(c->store, c->tenant, d->channel, d->ts, d->value, &r);

    if (err != EMT_OK)
        return api_store_problem(c, err, "conflict");
    v.mantissa = c_int(r, 0, 0);
    v.exponent = (int16_t)c_int(r, 0, 1);
    v.quality = (int16_t)(c_int(r, 0, 2) | QUALITY_BY_HAND);
    struct decimal kept = decimal_of(c_int(r, 0, 3), (int)c_int(r, 0, 4));
    store_result_free(r);
    err = d->take ? take(c, d, &v, &who) : EMT_OK;
    if (err == EMT_OK)
        err = conflict_decide(c->store, c->tenant, d->channel, &v, d->take, &who, d->reason);
    if (err == EMT_OK)
        err = api_audit(c, "conflict.decide", "readings", "channel %" PRId64 ": %s: %s", d->channel,
                        d->take ? "taken" : "kept", d->reason);
    if (err != EMT_OK)
        return api_store_problem(c, err, "conflict");
    return api_json(
        c, 200,
        json_pack("{s:I, s:o, s:o, s:o, s:s, s:s, s:o, s:s}", "channel", (json_int_t)d->channel,
                  "ts", api_time(d->ts), "value", api_decimal(decimal_of(v.mantissa, v.exponent)),
                  "kept", api_decimal(kept), "decision", d->take ? "take" : "keep", "reason",
                  d->reason, "resolved_at", api_time(c->now), "resolved_by", c->who.actor));
}

enum emt_err api_conflict_decide(struct api_call *c)
{
    static const char *const decisions[] = { "keep", "take", NULL };
    static const struct api_field fields[] = {
        { "channel", FIELD_INT, true, false, 1, INT64_MAX, NULL },
        { "ts", FIELD_TIME, true, false, 0, 0, NULL },
        { "value", FIELD_TEXT, true, false, 1, 40, NULL },
        { "decision", FIELD_ENUM, true, false, 0, 0, decisions },
        { "reason", FIELD_TEXT, true, false, 1, REASON_MAX, NULL },
    };
    struct api_value v[5];
    json_t *body = NULL;
    bool ok = false;
    enum emt_err err;

    api_body(c, fields, 5, v, &body, &ok);
    if (!ok)
        return EMT_OK;
    struct decision d = {
        .channel = v[0].number, .ts = v[1].time, .take = v[3].number == 1, .reason = v[4].text
    };
    if (decimal_parse(v[2].text, strlen(v[2].text), &d.value) != EMT_OK)
        err = api_problem(c, 400, "invalid", "value", "value: must be a decimal, as \"12.30\"");
    else
        err = decide(c, &d);
    json_decref(body);
    return err;
}
