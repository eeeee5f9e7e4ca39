/* One transaction of REPEATABLE READ: registers page by page, values of each in parts, files with
 * the deliveries that bring them away. */
#include "report/report_run.h"

#include "model/device_id.h"
#include "store/audit_store.h"
#include "store/export_store.h"
#include "store/mandate_store.h"
#include "store/reading_query_store.h"
#include "store/report_store.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PAGE_DEVICES 200
#define CONTENT_MOST (256u << 20)
#define PIECES_MOST 64

/* --- templates --- */

static const char *text_at(const struct store_result *r, int row, enum report_template_column c)
{
    return c_text(r, row, (int)c);
}

static bool flag_at(const struct store_result *r, int row, enum report_template_column c)
{
    return strcmp(text_at(r, row, c), "true") == 0;
}

static int number_at(const struct store_result *r, int row, enum report_template_column c)
{
    return (int)strtol(text_at(r, row, c), NULL, 10);
}

enum emt_err report_template_of(const struct store_result *r, int row, struct report_template *out,
                                struct emt_diag *diag)
{
    const struct report_text text = {
        .shape = text_at(r, row, REPORT_T_SHAPE),
        .format = text_at(r, row, REPORT_T_FORMAT),
        .columns = text_at(r, row, REPORT_T_COLUMNS),
        .language = text_at(r, row, REPORT_T_LANGUAGE),
        .encoding = text_at(r, row, REPORT_T_ENCODING),
        .unrepresentable = text_at(r, row, REPORT_T_UNREPRESENTABLE),
        .time_zone = text_at(r, row, REPORT_T_TIME_ZONE),
        .time_format = text_at(r, row, REPORT_T_TIME_FORMAT),
        .date_format = text_at(r, row, REPORT_T_DATE_FORMAT),
        .clock_format = text_at(r, row, REPORT_T_CLOCK_FORMAT),
        .field_separator = text_at(r, row, REPORT_T_FIELD_SEPARATOR),
        .decimal_separator = text_at(r, row, REPORT_T_DECIMAL_SEPARATOR),
        .quoting = text_at(r, row, REPORT_T_QUOTING),
        .line_end = text_at(r, row, REPORT_T_LINE_END),
        .measure = text_at(r, row, REPORT_T_MEASURE),
        .energy_unit = text_at(r, row, REPORT_T_ENERGY_UNIT),
        .grid = text_at(r, row, REPORT_T_GRID),
        .preamble = text_at(r, row, REPORT_T_PREAMBLE),
        .title = text_at(r, row, REPORT_T_TITLE),
        .company = text_at(r, row, REPORT_T_COMPANY),
        .logo_text = text_at(r, row, REPORT_T_LOGO_TEXT),
        .contact_name = text_at(r, row, REPORT_T_CONTACT_NAME),
        .contact_mail = text_at(r, row, REPORT_T_CONTACT_MAIL),
        .contact_phone = text_at(r, row, REPORT_T_CONTACT_PHONE),
        .file_name = text_at(r, row, REPORT_T_FILE_NAME),
        .heading = flag_at(r, row, REPORT_T_HEADING),
        .letterhead = flag_at(r, row, REPORT_T_LETTERHEAD),
        .cell_status = flag_at(r, row, REPORT_T_CELL_STATUS),
        .decimals = number_at(r, row, REPORT_T_DECIMALS),
        .step_s = number_at(r, row, REPORT_T_STEP_S),
    };

    return report_template_parse(&text, out, diag);
}

/* --- walking --- */

/* A stretch of a register's time that may be told, as that of one place. */
struct piece {
    emt_time from, to;
    const char *location, *register_number; /* borrowed from the row of places; NULL: the series' */
    struct decimal factor;
};
struct pieces {
    struct piece list[PIECES_MOST];
    size_t n;
};

/* What a file shows of one register at one place: a row of export_message. */
struct shown {
    int64_t channel, values;
    emt_time first, last;
};

struct walk {
    struct store *s;
    int32_t tenant;
    struct report_choice choice;
    const struct report_template *t;
    struct report_head head;
    int64_t most_rows;     /* 0: all */
    const char *recipient; /* whose mandates count; NULL: none are asked for */
    int64_t without;       /* registers left out for want of one */
    struct piece piece;    /* whose values come now */
    bool pieced;           /* there is a piece: else everything may be told */
    bool ends;             /* the value at the very end of a piece belongs to it: a register that is
                              differenced */
    struct shown shown;
    struct export_messages *messages; /* of the file; NULL: nothing is kept */
    struct report_writer *w;
    struct writer content;
    struct sink sink;
    /* Behind each register; NULL: nothing. */
    enum emt_err (*behind)(struct walk *k);
    void *ctx;
    struct emt_diag *diag;
};

static enum emt_err begin_file(struct walk *k)
{
    writer_init_heap(&k->content, CONTENT_MOST);
    k->sink = sink_to_writer(&k->content);
    return report_begin(k->t, &k->head, &k->sink, &k->w, k->diag);
}

static bool is_permitted(const struct walk *k, emt_time at)
{
    return !k->pieced ||
           (at >= k->piece.from && (at < k->piece.to || (k->ends && at == k->piece.to)));
}

static enum emt_err take_value(void *ctx, int64_t channel, const struct stored_reading *v)
{
    struct walk *k = ctx;
    const struct report_value value = { .time = v->ts, .value = v->value, .quality = v->quality };

    if (k->most_rows > 0 && report_rows(k->w) >= k->most_rows)
        return EMT_ESTATE; /* enough */
    if (!is_permitted(k, v->ts))
        return EMT_OK;
    if (k->shown.values++ == 0)
        k->shown.first = v->ts;
    k->shown.last = v->ts;
    k->shown.channel = channel;
    return report_value(k->w, &value);
}

/* --- what may be told of a register --- */

static enum emt_err add_piece(struct pieces *out, struct piece p)
{
    if (p.from >= p.to)
        return EMT_OK;
    if (out->n == PIECES_MOST)
        return EMT_ELIMIT;
    out->list[out->n++] = p;
    return EMT_OK;
}

/* Of two places at the same time the first one has the register: its values stand once. */
static enum emt_err add_uncovered(struct pieces *out, struct piece p)
{
    size_t n = out->n;

    for (size_t i = 0; i < n; i++) {
        const struct piece *o = &out->list[i];

        if (p.to <= o->from || p.from >= o->to)
            continue;
        struct piece behind = p;
        behind.from = o->to;
        p.to = o->from;
        enum emt_err err = behind.from < behind.to ? add_uncovered(out, behind) : EMT_OK;
        if (err != EMT_OK)
            return err;
    }
    return add_piece(out, p);
}

static emt_time later(emt_time a, emt_time b)
{
    return a > b ? a : b;
}

static emt_time earlier(emt_time a, emt_time b)
{
    return a < b ? a : b;
}

/* A calculated channel tells of what it is made of: only while all of that may be told. */
static enum emt_err cut_calculated(struct walk *k, int64_t channel, emt_time from, emt_time to,
                                   struct pieces *pieces)
{
    const struct mandate_asker who = { k->recipient, NULL };
    struct store_result *r = NULL;
    struct pieces whole = *pieces;
    enum emt_err err = mandate_stretches(k->s, k->tenant, &who, channel, 0, 1, from, to, &r);

    pieces->n = 0;
    for (size_t i = 0; err == EMT_OK && i < whole.n; i++) {
        for (int j = 0; err == EMT_OK && j < store_rows(r); j++) {
            struct piece p = whole.list[i];

            if (c_null(r, j, 1))
                continue;
            p.from = later(p.from, c_time(r, j, 1));
            p.to = earlier(p.to, c_time(r, j, 2));
            err = add_piece(pieces, p);
        }
    }
    store_result_free(r);
    return err;
}

static int by_begin(const void *a, const void *b)
{
    const struct piece *x = a;
    const struct piece *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

/* places: report_series_places(), from which the pieces borrow. A meter has one row, and so one
 * place: its latest. */
static enum emt_err pieces_of(struct walk *k, int64_t channel, emt_time from, emt_time to,
                              struct store_result **places, struct pieces *out)
{
    enum emt_err err = report_series_places(k->s, k->tenant, channel, k->choice.location, from, to,
                                            k->recipient, places);

    out->n = 0;
    for (int i = 0; err == EMT_OK && i < store_rows(*places); i++) {
        const struct piece p = {
            .from = c_time(*places, i, REPORT_P_FROM),
            .to = c_time(*places, i, REPORT_P_TO),
            .location = c_text(*places, i, REPORT_P_LOCATION),
            .register_number = c_text(*places, i, REPORT_P_REGISTER_NUMBER),
            .factor = { c_int(*places, i, REPORT_P_RATIO_MANTISSA),
                        (int16_t)c_int(*places, i, REPORT_P_RATIO_EXPONENT) },
        };

        err = add_uncovered(out, p);
    }
    if (err == EMT_OK && k->recipient != NULL && out->n > 0 &&
        c_bool(*places, 0, REPORT_P_CALCULATED))
        err = cut_calculated(k, channel, from, to, out);
    if (err != EMT_OK)
        return err;
    qsort(out->list, out->n, sizeof out->list[0], by_begin);
    if (k->t->shape == REPORT_METERS && out->n > 1) {
        out->list[0] = out->list[out->n - 1];
        out->n = 1;
    }
    return EMT_OK;
}

static struct report_series series_of(const struct store_result *r, int row)
{
    return (struct report_series){
        .device = c_int(r, row, REPORT_S_DEVICE),
        .meter = c_text(r, row, REPORT_S_METER),
        .ident = c_text(r, row, REPORT_S_IDENT),
        .manufacturer = c_text(r, row, REPORT_S_MANUFACTURER),
        .medium =
            c_null(r, row, REPORT_S_TYPE) ? "" : medium_name((uint8_t)c_int(r, row, REPORT_S_TYPE)),
        .name = c_text(r, row, REPORT_S_NAME),
        .place = c_text(r, row, REPORT_S_PLACE),
        .location = c_text(r, row, REPORT_S_LOCATION),
        .register_number = c_text(r, row, REPORT_S_REGISTER_NUMBER),
        .obis = c_text(r, row, REPORT_S_OBIS),
        .quantity = c_text(r, row, REPORT_S_QUANTITY),
        .channel = c_text(r, row, REPORT_S_CHANNEL_NAME),
        .unit = c_text(r, row, REPORT_S_UNIT),
        .cumulates = c_bool(r, row, REPORT_S_CUMULATES),
        .tariff = c_int(r, row, REPORT_S_TARIFF),
        .storage = c_int(r, row, REPORT_S_STORAGE),
        .factor = { c_int(r, row, REPORT_S_RATIO_MANTISSA),
                    (int16_t)c_int(r, row, REPORT_S_RATIO_EXPONENT) },
    };
}

static enum emt_err keep_shown(struct walk *k, const struct report_series *series)
{
    const char *obis[] = { series->obis };
    const struct export_message_row row = { .number = "",
                                            .location = series->location,
                                            .device = series->register_number,
                                            .obis = obis,
                                            .channels = &k->shown.channel,
                                            .n_channels = 1,
                                            .from = k->shown.first,
                                            .to = k->shown.last,
                                            .n_values = (int32_t)k->shown.values };

    return k->messages != NULL && k->shown.values > 0 ? export_messages_add(k->messages, &row)
                                                      : EMT_OK;
}

static enum emt_err walk_piece(struct walk *k, const struct report_series *series, int64_t channel,
                               emt_time from, emt_time to)
{
    const struct reading_visitor visitor = { .value = take_value, .ctx = k };
    enum emt_err err = report_series(k->w, series);

    k->shown = (struct shown){ 0 };
    k->ends = k->t->energy && series->cumulates;
    if (err == EMT_OK)
        err = reading_walk(k->s, k->tenant, channel, from, to, &visitor);
    return err == EMT_OK ? keep_shown(k, series) : err;
}

static enum emt_err walk_pieces(struct walk *k, struct report_series *series, int64_t channel,
                                emt_time from, emt_time to)
{
    struct store_result *places = NULL;
    struct pieces *pieces = calloc(1, sizeof *pieces);
    enum emt_err err =
        pieces != NULL ? pieces_of(k, channel, from, to, &places, pieces) : EMT_ENOMEM;

    for (size_t i = 0; err == EMT_OK && i < pieces->n; i++) {
        k->piece = pieces->list[i];
        k->pieced = true;
        series->location = k->piece.location;
        series->register_number = k->piece.register_number;
        series->factor = k->piece.factor;
        err = walk_piece(k, series, channel, later(from, k->piece.from),
                         earlier(to, k->piece.to + 1));
    }
    if (err == EMT_OK && pieces->n == 0 && k->recipient != NULL)
        k->without++;
    k->pieced = false;
    free(pieces);
    store_result_free(places);
    return err;
}

static enum emt_err walk_register(struct walk *k, const struct store_result *r, int row)
{
    struct report_series series = series_of(r, row);
    int64_t channel = c_int(r, row, REPORT_S_CHANNEL);
    emt_time from = 0;
    emt_time to = 0;
    enum emt_err err;

    report_span(k->t, &k->head, &from, &to);
    if (k->recipient != NULL || k->choice.location != NULL)
        err = walk_pieces(k, &series, channel, from, to);
    else
        err = walk_piece(k, &series, channel, from, to);
    return err == EMT_OK && k->behind != NULL ? k->behind(k) : err;
}

static enum emt_err walk_all(struct walk *k)
{
    struct store_result *r = NULL;
    enum emt_err err = EMT_OK;
    int64_t after = 0;
    bool more = true;

    while (err == EMT_OK && more) {
        err = report_series_page(k->s, k->tenant, &k->choice, after, PAGE_DEVICES, &r);
        more = err == EMT_OK && store_rows(r) > 0;
        for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
            err = walk_register(k, r, i);
        if (more)
            after = c_int(r, store_rows(r) - 1, REPORT_S_DEVICE);
        store_result_free(r);
        r = NULL;
    }
    return err;
}

/* --- files that are kept --- */

struct keeping {
    struct walk walk;
    const struct report_request *req;
    const struct report_handler *h;
    struct report_template t;
    struct export_tenant tenant;
    char name[128], part_name[240];
    int64_t done, total, files;
};

static enum emt_err keep_file(struct keeping *x)
{
    char name[REPORT_TEXT_MAX + 80];
    char reference[48];
    char pid[24];
    int64_t id = 0;
    const struct report_request *req = x->req;
    struct walk *k = &x->walk;
    struct audit_entry entry = { .tenant = req->tenant,
                                 .actor = req->actor,
                                 .action = "export.report",
                                 .object = name,
                                 .detail = x->name };
    struct export_file_row row = { .kind = "report",
                                   .pid = pid,
                                   .sender = x->tenant.own_mp_id,
                                   .receiver = req->recipient,
                                   .reference = reference,
                                   .file_name = name,
                                   .notes = "",
                                   .from = req->from,
                                   .to = req->to,
                                   .created = req->now,
                                   .messages = (int32_t)report_rows(k->w),
                                   .content = k->content.data,
                                   .content_len = k->content.len,
                                   .job = req->job,
                                   .part = (int32_t)k->head.part };

    snprintf(pid, sizeof pid, "%lld", (long long)req->template_id);
    snprintf(reference, sizeof reference, "R%lld-%u", (long long)req->job, k->head.part);
    enum emt_err err = report_file_name(&x->t, &k->head, name, sizeof name);
    if (err == EMT_OK)
        err = export_file_insert(k->s, req->tenant, &row, &id);
    if (err == EMT_OK)
        err = export_messages_insert(k->s, req->tenant, id, req->recipient, req->now, k->messages);
    export_messages_clear(k->messages);
    if (err == EMT_OK && req->mail_to[0] != '\0')
        err = report_mail_set(k->s, req->tenant, id, req->mail_to, req->mail_cc, req->mail_bcc);
    if (err == EMT_OK)
        err = audit_append(k->s, &entry);
    if (err == EMT_OK && x->h->file != NULL)
        err = x->h->file(x->h->ctx, k->s, id);
    x->files++;
    return err;
}

/* A report without a row is kept, too: that nothing came is what somebody waits to hear. */
static enum emt_err end_file(struct keeping *x)
{
    struct walk *k = &x->walk;
    enum emt_err err = report_end(k->w, k->diag);

    if (err == EMT_OK)
        err = keep_file(x);
    report_free(k->w);
    k->w = NULL;
    writer_release(&k->content);
    return err;
}

static enum emt_err behind_register(struct walk *k)
{
    struct keeping *x = k->ctx;
    bool whole = k->t->shape != REPORT_METERS; /* a meter's row is not cut */

    x->done++;
    if (x->h->step != NULL && x->done % 20 == 0 && !x->h->step(x->h->ctx, x->done, x->total))
        return EMT_EAGAIN;
    if (!whole || (k->content.len < REPORT_FILE_BYTES && report_rows(k->w) < REPORT_FILE_ROWS))
        return EMT_OK;
    enum emt_err err = end_file(x);
    k->head.part++;
    return err == EMT_OK ? begin_file(k) : err;
}

/* What the job wrote before it was interrupted. EMT_ENOTFOUND: nothing. */
static enum emt_err written_before(struct keeping *x)
{
    struct store_result *r = NULL;
    const struct report_request *req = x->req;
    enum emt_err err = export_files_of_job(x->walk.s, req->tenant, req->job, req->recipient, &r);

    if (err == EMT_OK && store_rows(r) == 0)
        err = EMT_ENOTFOUND;
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++)
        err = x->h->file != NULL ? x->h->file(x->h->ctx, x->walk.s, c_int(r, i, 0)) : EMT_OK;
    store_result_free(r);
    return err;
}

static enum emt_err load(struct keeping *x, struct store_result **r, struct emt_diag *diag)
{
    const struct report_request *req = x->req;
    struct walk *k = &x->walk;
    enum emt_err err = report_template_get(k->s, req->tenant, req->template_id, r);

    if (err == EMT_ENOTFOUND)
        return emt_fail(diag, err, "the template is gone");
    if (err == EMT_OK)
        err = export_tenant_get(k->s, req->tenant, &x->tenant);
    if (err != EMT_OK)
        return emt_fail(diag, err, "%s", store_error(k->s));
    err = report_template_of(*r, 0, &x->t, diag);
    if (err != EMT_OK)
        return err;
    bool mandates = x->tenant.mandates_required && req->leaves;
    if (mandates && req->recipient[0] == '\0')
        return emt_fail(diag, EMT_EMALFORMED,
                        "recipient: the tenant requires mandates, say whose count");
    snprintf(x->name, sizeof x->name, "%s", c_text(*r, 0, REPORT_T_NAME));
    k->recipient = mandates ? req->recipient : NULL;
    k->t = &x->t;
    k->choice = (struct report_choice){ .location = req->location,
                                        .quantities = c_text(*r, 0, REPORT_T_QUANTITIES),
                                        .history = c_bool(*r, 0, REPORT_T_HISTORY),
                                        .from = req->from,
                                        .to = req->to };
    k->head = (struct report_head){ .name = x->name,
                                    .from = req->from,
                                    .to = req->to,
                                    .created = req->now,
                                    .thin = req->thin,
                                    .tolerance = x->tenant.tolerance_s * EMT_SECOND,
                                    .part = 1 };
    return EMT_OK;
}

static void tell_left_out(struct keeping *x)
{
    char line[160];

    if (x->walk.without == 0 || x->h->note == NULL)
        return;
    snprintf(line, sizeof line, "%lld registers are left out: %.60s has no mandate for them",
             (long long)x->walk.without, x->walk.recipient);
    x->h->note(x->h->ctx, line);
}

static enum emt_err write_files(struct keeping *x)
{
    struct walk *k = &x->walk;
    enum emt_err err = report_series_count(k->s, k->tenant, &k->choice, &x->total);

    if (err == EMT_OK && x->h->step != NULL && !x->h->step(x->h->ctx, 0, x->total))
        err = EMT_EAGAIN;
    if (err == EMT_OK)
        err = begin_file(k);
    if (err == EMT_OK)
        err = walk_all(k);
    if (err == EMT_OK)
        err = end_file(x);
    else if (k->w != NULL && emt_err_class(err) == EMT_CLASS_REJECT)
        err = report_end(k->w, k->diag) == EMT_OK ? err : EMT_EMALFORMED; /* its words */
    report_free(k->w);
    writer_release(&k->content);
    if (err == EMT_OK && x->h->written != NULL)
        err = x->h->written(x->h->ctx, k->s);
    if (err == EMT_OK)
        tell_left_out(x);
    if (err == EMT_OK && x->h->step != NULL)
        (void)x->h->step(x->h->ctx, x->total, x->total);
    return err;
}

enum emt_err report_run(struct store *s, const struct report_request *req,
                        const struct report_handler *h, struct emt_diag *diag)
{
    struct keeping *x = calloc(1, sizeof *x);
    struct store_result *r = NULL;

    if (x == NULL)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    x->req = req;
    x->h = h;
    x->walk = (struct walk){
        .s = s, .tenant = req->tenant, .behind = behind_register, .ctx = x, .diag = diag
    };
    x->walk.messages = export_messages_new();
    enum emt_err err = x->walk.messages != NULL ? store_begin(s, req->tenant) : EMT_ENOMEM;
    if (err == EMT_OK)
        err = store_script(s, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", diag);
    if (err == EMT_OK)
        err = load(x, &r, diag);
    if (err == EMT_OK)
        err = written_before(x);
    if (err == EMT_ENOTFOUND && r != NULL)
        err = write_files(x);
    if (err == EMT_OK)
        err = store_commit(s);
    if (err != EMT_OK && diag != NULL && diag->text[0] == '\0')
        (void)emt_fail(diag, err, "%s",
                       emt_err_class(err) == EMT_CLASS_REJECT
                           ? "a stored value is damaged: see the log"
                           : store_error(s));
    if (err != EMT_OK)
        store_rollback(s);
    store_result_free(r);
    export_messages_free(x->walk.messages);
    free(x);
    return err;
}

enum emt_err report_preview(struct store *s, const struct report_preview *p, struct writer *out,
                            struct emt_diag *diag)
{
    struct walk *k = calloc(1, sizeof *k);

    if (k == NULL)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    k->s = s;
    k->tenant = p->tenant;
    k->t = p->t;
    k->most_rows = p->rows;
    k->diag = diag;
    k->choice = (struct report_choice){ .location = p->location,
                                        .quantities = p->quantities,
                                        .history = p->history,
                                        .from = p->from,
                                        .to = p->to };
    k->head = (struct report_head){ .name = p->name,
                                    .from = p->from,
                                    .to = p->to,
                                    .created = p->now,
                                    .thin = p->thin,
                                    .tolerance = p->tolerance,
                                    .part = 1 };
    enum emt_err err = begin_file(k);
    if (err == EMT_OK)
        err = walk_all(k);
    if (err == EMT_ESTATE || err == EMT_OK)
        err = report_end(k->w, diag);
    else if (k->w != NULL && emt_err_class(err) == EMT_CLASS_REJECT)
        err = report_end(k->w, diag) == EMT_OK ? err : EMT_EMALFORMED;
    if (err == EMT_OK && !writer_bytes(out, k->content.data, k->content.len))
        err = EMT_ELIMIT;
    report_free(k->w);
    writer_release(&k->content);
    free(k);
    return err;
}
