#include "store/export_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    TENANT,
    POLICY,
    POLICY_SET,
    PARTNER_SET,
    LIMITS,
    PLACES_COUNT,
    PLACES_OPEN,
    PLACES_NEXT,
    PLACES_CLOSE,
    NUMBER_SEED,
    NUMBER_LOCK,
    NUMBER_SET,
    FILE_INSERT,
    FILES_OF_JOB,
    FILE_LIST,
    FILE_GET,
    MESSAGE_INSERT,
    MESSAGE_CANCEL,
    MESSAGE_SENT,
    MESSAGE_CONTENT,
    MESSAGE_LIST,
    CANCELLED_CASE,
    STATEMENTS
};

#define FILE_COLUMNS                                                                               \
    "file_id, kind, pid, sender, receiver, reference, file_name, period_from, period_to,"          \
    " created_at, messages, notes, length(content)"

#define PLACES_MEANT                                                                                \
    " WHERE l.tenant_id = $1 AND 1 << l.kind & $2::int4 <> 0 AND ($3::text IS NULL OR l.code = $3)" \
    " AND ($4::int8 = 0 OR EXISTS (SELECT FROM export_message x WHERE x.tenant_id = $1"             \
    "  AND x.file_id = $4 AND x.location = l.code))"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [TENANT] = { "export_tenant", 1,
        "SELECT coalesce(own_mp_id, ''), profile_tolerance_s, mandates_required FROM tenant WHERE id = $1" },
    [POLICY] = { "export_policy", 2,
        "SELECT gap, method, reason, correction FROM export_policy"
        " WHERE tenant_id = $1 AND use_case IN (0, $2::int4) ORDER BY use_case DESC LIMIT 1" },
    [POLICY_SET] = { "export_policy_set", 6,
        "INSERT INTO export_policy (tenant_id, use_case, gap, method, reason, correction)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, use_case) DO UPDATE"
        " SET gap = $3, method = $4, reason = $5, correction = $6" },
    [PARTNER_SET] = { "export_partner_set", 6,
        "INSERT INTO market_partner (tenant_id, mp_id, name, role, file_bytes_max,"
        " file_messages_max) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, mp_id)"
        " DO UPDATE SET name = $3, role = $4, file_bytes_max = $5, file_messages_max = $6" },
    [LIMITS] = { "export_limits", 2,
        "SELECT coalesce(file_bytes_max, 0), coalesce(file_messages_max, 0) FROM market_partner"
        " WHERE tenant_id = $1 AND mp_id = $2" },
    [PLACES_COUNT] = { "export_places_count", 4,
        "SELECT count(*) FROM location l" PLACES_MEANT },
    /* Held: it stands while files are committed, and the server keeps its rows. */
    [PLACES_OPEN] = { "export_places_open", 6,
        "DECLARE export_places SCROLL CURSOR WITH HOLD FOR "
        "SELECT l.code, coalesce(l.receiver_mp_id, ''), b.binding_id, b.channel_id, b.obis,"
        " b.ratio_mantissa, b.ratio_exponent, b.device_number, coalesce(c.unit, ''),"
        " c.kind, d.active, b.valid_from, b.valid_to, l.kind, b.use_case, b.order_number,"
        " b.config_id, b.decimals, b.step_s, b.capacity_mantissa, b.capacity_exponent,"
        " b.first_mantissa, b.first_exponent, b.last_mantissa, b.last_exponent,"
        " b.master_data_number"
        " FROM location l"
        " LEFT JOIN location_channel b ON b.tenant_id = l.tenant_id"
        "  AND b.location_id = l.location_id"
        "  AND b.valid_from < $6 AND (b.valid_to IS NULL OR b.valid_to > $5)"
        " LEFT JOIN channel c ON c.tenant_id = b.tenant_id AND c.channel_id = b.channel_id"
        " LEFT JOIN device d ON d.tenant_id = c.tenant_id AND d.device_id = c.device_id"
        PLACES_MEANT
        " ORDER BY 2, l.code COLLATE \"C\", b.obis, b.valid_from, b.binding_id" },
    [PLACES_NEXT] = { "export_places_next", 0, "FETCH FORWARD 1000 FROM export_places" },
    [PLACES_CLOSE] = { "export_places_close", 0, "CLOSE export_places" },
    [NUMBER_SEED] = { "export_number_seed", 2,
        "INSERT INTO export_number (tenant_id, sender, last) VALUES ($1, $2, '')"
        " ON CONFLICT (tenant_id, sender) DO NOTHING" },
    [NUMBER_LOCK] = { "export_number_lock", 2,
        "SELECT last FROM export_number WHERE tenant_id = $1 AND sender = $2 FOR UPDATE" },
    [NUMBER_SET] = { "export_number_set", 3,
        "UPDATE export_number SET last = $3 WHERE tenant_id = $1 AND sender = $2" },
    [FILE_INSERT] = { "export_file_insert", 17,
        "INSERT INTO export_file (tenant_id, kind, pid, sender, receiver, reference,"
        " file_name, period_from, period_to, created_at, messages, notes, content, job_id,"
        " part, next_place, next_from)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
        " RETURNING file_id" },
    [FILES_OF_JOB] = { "export_files_of_job", 3,
        "SELECT file_id, notes, part, next_place, next_from FROM export_file"
        " WHERE tenant_id = $1 AND job_id = $2::int8 AND receiver = $3::text ORDER BY part" },
    [FILE_LIST] = { "export_file_list", 11,
        "SELECT " FILE_COLUMNS " FROM export_file"
        " WHERE tenant_id = $1 AND ($2::int8 = 0 OR file_id < $2)"
        " AND ($4::int2 IS NULL OR state = $4) AND ($5::text IS NULL OR kind = $5)"
        " AND ($6::text IS NULL OR (pid = $6 AND kind = 'mscons'))"
        " AND ($7::text IS NULL OR receiver = $7)"
        " AND ($8::timestamptz IS NULL OR period_to > $8)"
        " AND ($9::timestamptz IS NULL OR period_from < $9)"
        " AND ($10::timestamptz IS NULL OR created_at >= $10)"
        " AND ($11::timestamptz IS NULL OR created_at < $11)"
        " ORDER BY file_id DESC LIMIT $3" },
    [FILE_GET] = { "export_file_get", 2,
        "SELECT " FILE_COLUMNS ", content FROM export_file"
        " WHERE tenant_id = $1 AND file_id = $2" },
    [MESSAGE_INSERT] = { "export_message_insert", 19,
        "INSERT INTO export_message (tenant_id, file_id, receiver, version, nth, number, use_case,"
        " document, location, device_number, config_id, obis, channels, period_from, period_to,"
        " digest, n_values, content_at, content_len, cancels_id)"
        " SELECT $1, $2::int8, $3::text, $4::timestamptz, nth, number, use_case, document, location,"
        " device, config, string_to_array(obis, ' '), string_to_array(channels, ' ')::int8[], a, b,"
        " digest, n, at, len, nullif(cancels, 0)"
        " FROM unnest($5::text[], $6::int4[], $7::text[], $8::text[], $9::text[], $10::text[],"
        " $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[], $15::int8[], $16::int4[],"
        " $17::int4[], $18::int4[], $19::int8[]) WITH ORDINALITY"
        " AS u (number, use_case, document, location, device, config, obis, channels, a, b, digest, n,"
        " at, len, cancels, nth)" },
    [MESSAGE_CANCEL] = { "export_message_cancel", 2,
        "UPDATE export_message m SET cancelled_by = c.message_id FROM export_message c"
        " WHERE c.tenant_id = $1 AND c.file_id = $2 AND m.tenant_id = $1"
        " AND m.message_id = c.cancels_id" },
    /* Of a profile that was sent several times the latest counts. What a rejected message was to take
       back stands. */
    [MESSAGE_SENT] = { "export_message_sent", 7,
        "SELECT m.* FROM unnest($4::text[]) AS l (code), LATERAL ("
        " SELECT DISTINCT ON (config_id, period_from, period_to, device_number, document, obis)"
        "  message_id, file_id, number, document, location, device_number, config_id, period_from,"
        "  period_to, version, digest, array_to_string(obis, ' ') FROM export_message s"
        " WHERE tenant_id = $1 AND location = l.code AND use_case = $2::int4"
        "  AND period_to >= $5 AND period_from <= $6 AND receiver = $3::text"
        "  AND ($7::int8 = 0 OR message_id IN (SELECT y.cancels_id FROM export_message y"
        "   WHERE y.tenant_id = $1 AND y.file_id = $7))"
        "  AND cancels_id IS NULL AND state NOT IN (3, 4) AND (cancelled_by IS NULL OR EXISTS ("
        "   SELECT FROM export_message x WHERE x.tenant_id = $1 AND x.message_id = s.cancelled_by AND x.state IN (3, 4)))"
        " ORDER BY config_id, period_from, period_to, device_number, document, obis,"
        "  version DESC, message_id DESC) m"
        " ORDER BY m.location COLLATE \"C\", m.config_id, m.period_from, m.period_to, m.message_id" },
    [MESSAGE_CONTENT] = { "export_message_content", 2,
        "SELECT substr(f.content, m.content_at + 1, m.content_len) FROM export_message m"
        " JOIN export_file f ON f.tenant_id = m.tenant_id AND f.file_id = m.file_id"
        " WHERE m.tenant_id = $1 AND m.message_id = $2" },
    [MESSAGE_LIST] = { "export_message_list", 2,
        "SELECT message_id, nth, number, use_case, document, location, device_number, config_id,"
        " period_from, period_to, version, n_values, cancels_id, cancelled_by, state, state_at,"
        " state_text FROM export_message WHERE tenant_id = $1 AND file_id = $2 ORDER BY nth" },
    [CANCELLED_CASE] = { "export_cancelled_case", 2,
        "SELECT m.use_case::int8 FROM export_message c"
        " JOIN export_message m ON m.tenant_id = $1 AND m.message_id = c.cancels_id"
        " WHERE c.tenant_id = $1 AND c.file_id = $2 LIMIT 1" },
};
/* clang-format on */

const struct store_statement *export_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err export_tenant_get(struct store *s, int32_t tenant, struct export_tenant *out)
{
    struct store_result *r = NULL;
    struct store_param p[1];

    p_int4(&p[0], tenant);
    enum emt_err err = store_run(s, &statements[TENANT], p, &r);
    if (err != EMT_OK)
        return err;
    err = store_rows(r) == 1 ? EMT_OK : EMT_ENOTFOUND;
    if (err == EMT_OK) {
        snprintf(out->own_mp_id, sizeof out->own_mp_id, "%s", c_text(r, 0, 0));
        out->tolerance_s = (int32_t)c_int(r, 0, 1);
        out->mandates_required = c_bool(r, 0, 2);
    }
    store_result_free(r);
    return err;
}

enum emt_err export_policy_get(struct store *s, int32_t tenant, unsigned use_case,
                               struct export_policy *out)
{
    struct store_result *r = NULL;
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int4(&p[1], (int32_t)use_case);
    enum emt_err err = store_run(s, &statements[POLICY], p, &r);
    if (err != EMT_OK)
        return err;
    *out = (struct export_policy){ "spans", "Z92", "Z75", "ZA7" };
    if (store_rows(r) == 1) {
        snprintf(out->gap, sizeof out->gap, "%s", c_text(r, 0, 0));
        snprintf(out->method, sizeof out->method, "%s", c_text(r, 0, 1));
        snprintf(out->reason, sizeof out->reason, "%s", c_text(r, 0, 2));
        snprintf(out->correction, sizeof out->correction, "%s", c_text(r, 0, 3));
    }
    store_result_free(r);
    return EMT_OK;
}

enum emt_err export_policy_set(struct store *s, int32_t tenant, unsigned use_case,
                               const struct export_policy *policy)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_int4(&p[1], (int32_t)use_case);
    p_text(&p[2], policy->gap);
    p_text(&p[3], policy->method);
    p_text(&p[4], policy->reason);
    p_text(&p[5], policy->correction);
    return store_run_touch(s, &statements[POLICY_SET], p);
}

enum emt_err export_partner_set(struct store *s, int32_t tenant,
                                const struct export_partner *partner)
{
    struct store_param p[6];

    p_int4(&p[0], tenant);
    p_text(&p[1], partner->mp_id);
    p_text(&p[2], partner->name);
    p_text(&p[3], partner->role);
    p_null(&p[4]);
    p_null(&p[5]);
    if (partner->file_bytes_max > 0)
        p_int8(&p[4], partner->file_bytes_max);
    if (partner->file_messages_max > 0)
        p_int4(&p[5], (int32_t)partner->file_messages_max);
    return store_run_touch(s, &statements[PARTNER_SET], p);
}

enum emt_err export_limits_get(struct store *s, int32_t tenant, const char *receiver,
                               int64_t *bytes, int32_t *messages)
{
    struct store_result *r = NULL;
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], receiver);
    enum emt_err err = store_run(s, &statements[LIMITS], p, &r);
    if (err != EMT_OK)
        return err;
    *bytes = store_rows(r) == 1 ? c_int(r, 0, 0) : 0;
    *messages = store_rows(r) == 1 ? (int32_t)c_int(r, 0, 1) : 0;
    store_result_free(r);
    return EMT_OK;
}

static void places_params(struct store_param p[6], int32_t tenant, unsigned kinds,
                          const char *location, int64_t of_file)
{
    p_int4(&p[0], tenant);
    p_int4(&p[1], (int32_t)kinds);
    p_text(&p[2], location);
    p_int8(&p[3], of_file);
}

enum emt_err export_places_open(struct store *s, int32_t tenant, unsigned kinds,
                                const char *location, int64_t of_file, emt_time from, emt_time to,
                                int64_t *places)
{
    struct store_param p[6];

    places_params(p, tenant, kinds, location, of_file);
    p_time(&p[4], from);
    p_time(&p[5], to);
    enum emt_err err = store_run_number(s, &statements[PLACES_COUNT], p, places);
    return err == EMT_OK ? store_run(s, &statements[PLACES_OPEN], p, NULL) : err;
}

/* Rows before those of the last place. */
static int whole_places(const struct store_result *r)
{
    int last = store_rows(r) - 1;
    int n = last;

    while (n > 0 && strcmp(c_text(r, n - 1, EXPORT_LOCATION_CODE),
                           c_text(r, last, EXPORT_LOCATION_CODE)) == 0)
        n--;
    return n;
}

enum emt_err export_places_next(struct store *s, struct store_result **out, int *n, bool *cut)
{
    char back[64];
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, &statements[PLACES_NEXT], NULL, &r);

    if (err != EMT_OK)
        return err;
    *n = store_rows(r);
    *cut = false;
    if (*n == EXPORT_PLACES_ROWS) {
        int whole = whole_places(r);

        *cut = whole == 0;
        if (!*cut) {
            (void)snprintf(back, sizeof back, "MOVE BACKWARD %d IN export_places", *n - whole);
            err = store_script(s, back, NULL);
            *n = whole;
        }
    }
    if (err == EMT_OK)
        *out = r;
    else
        store_result_free(r);
    return err;
}

void export_places_close(struct store *s)
{
    /* Where it fails the connection is of no use, and the cursor is gone with it. */
    (void)!store_run(s, &statements[PLACES_CLOSE], NULL, NULL);
}

enum emt_err export_number_lock(struct store *s, int32_t tenant, const char *sender, char out[32])
{
    struct store_result *r = NULL;
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], sender);
    enum emt_err err = store_run(s, &statements[NUMBER_SEED], p, NULL);
    if (err != EMT_OK)
        return err;
    err = store_run(s, &statements[NUMBER_LOCK], p, &r);
    if (err != EMT_OK)
        return err;
    snprintf(out, 32, "%s", store_rows(r) == 1 ? c_text(r, 0, 0) : "");
    err = store_rows(r) == 1 ? EMT_OK : EMT_EINTERNAL;
    store_result_free(r);
    return err;
}

enum emt_err export_number_set(struct store *s, int32_t tenant, const char *sender,
                               const char *last)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_text(&p[1], sender);
    p_text(&p[2], last);
    return store_run(s, &statements[NUMBER_SET], p, NULL);
}

enum emt_err export_file_insert(struct store *s, int32_t tenant, const struct export_file_row *row,
                                int64_t *file_id)
{
    struct store_param p[17];

    p_int4(&p[0], tenant);
    p_text(&p[1], row->kind);
    p_text(&p[2], row->pid);
    p_text(&p[3], row->sender);
    p_text(&p[4], row->receiver);
    p_text(&p[5], row->reference);
    p_text(&p[6], row->file_name);
    p_time(&p[7], row->from);
    p_time(&p[8], row->to);
    p_time(&p[9], row->created);
    p_int4(&p[10], row->messages);
    p_text(&p[11], row->notes);
    p_bytes(&p[12], row->content, row->content_len);
    if (row->job != 0)
        p_int8(&p[13], row->job);
    else
        p_null(&p[13]);
    p_int4(&p[14], row->part);
    p_text(&p[15], row->next_place);
    p_time(&p[16], row->next_place != NULL ? row->next_from : EMT_TIME_NONE);
    return store_run_number(s, &statements[FILE_INSERT], p, file_id);
}

enum emt_err export_files_of_job(struct store *s, int32_t tenant, int64_t job, const char *receiver,
                                 struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], job);
    p_text(&p[2], receiver);
    return store_run(s, &statements[FILES_OF_JOB], p, out);
}

enum emt_err export_file_list(struct store *s, int32_t tenant, const struct export_file_filter *f,
                              int64_t before, int limit, struct store_result **out)
{
    struct store_param p[11];

    p_int4(&p[0], tenant);
    p_int8(&p[1], before);
    p_int8(&p[2], limit);
    p_null(&p[3]);
    if (f->state >= 0)
        p_int2(&p[3], (int16_t)f->state);
    p_text(&p[4], f->kind);
    p_text(&p[5], f->pid);
    p_text(&p[6], f->receiver);
    p_time(&p[7], f->from);
    p_time(&p[8], f->to);
    p_time(&p[9], f->created_from);
    p_time(&p[10], f->created_to);
    return store_run(s, &statements[FILE_LIST], p, out);
}

enum emt_err export_file_get(struct store *s, int32_t tenant, int64_t file_id,
                             struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], file_id);
    return store_run_row(s, &statements[FILE_GET], p, out);
}

/* --- messages --- */

enum {
    COL_NUMBER,
    COL_USE_CASE,
    COL_DOCUMENT,
    COL_LOCATION,
    COL_DEVICE,
    COL_CONFIG,
    COL_OBIS,
    COL_CHANNELS,
    COL_FROM,
    COL_TO,
    COL_DIGEST,
    COL_VALUES,
    COL_AT,
    COL_LEN,
    COL_CANCELS,
    COLUMNS
};
struct export_messages {
    struct store_array *columns[COLUMNS];
    bool cancels; /* one of them takes another back */
};

struct export_messages *export_messages_new(void)
{
    static const enum store_type types[COLUMNS] = {
        STORE_TEXT, STORE_INT4, STORE_TEXT, STORE_TEXT, STORE_TEXT,
        STORE_TEXT, STORE_TEXT, STORE_TEXT, STORE_TIME, STORE_TIME,
        STORE_INT8, STORE_INT4, STORE_INT4, STORE_INT4, STORE_INT8,
    };
    struct export_messages *m = calloc(1, sizeof *m);
    bool ok = m != NULL;

    for (int i = 0; ok && i < COLUMNS; i++) {
        m->columns[i] = store_array_new(types[i]);
        ok = m->columns[i] != NULL;
    }
    if (ok)
        return m;
    export_messages_free(m);
    return NULL;
}

void export_messages_free(struct export_messages *m)
{
    if (m == NULL)
        return;
    for (int i = 0; i < COLUMNS; i++)
        store_array_free(m->columns[i]);
    free(m);
}

void export_messages_clear(struct export_messages *m)
{
    for (int i = 0; i < COLUMNS; i++)
        store_array_clear(m->columns[i]);
    m->cancels = false;
}

static const char *text_or_none(const char *text)
{
    return text != NULL ? text : "";
}

enum emt_err export_messages_add(struct export_messages *m, const struct export_message_row *row)
{
    struct store_array **c = m->columns;
    /* OBIS numbers of the market have at most 19 characters, channels as many digits. */
    char obis[2048];
    char channels[2048];
    size_t a = 0;
    size_t b = 0;

    if (row->content_at > INT32_MAX || row->content_len > INT32_MAX)
        return EMT_ELIMIT;
    obis[0] = channels[0] = '\0';
    for (size_t i = 0; i < row->n_channels; i++) {
        if (a >= sizeof obis || b >= sizeof channels)
            return EMT_ELIMIT;
        a += (size_t)snprintf(obis + a, sizeof obis - a, "%s%s", i > 0 ? " " : "", row->obis[i]);
        b += (size_t)snprintf(channels + b, sizeof channels - b, "%s%lld", i > 0 ? " " : "",
                              (long long)row->channels[i]);
    }
    if (a >= sizeof obis || b >= sizeof channels)
        return EMT_ELIMIT;
    m->cancels = m->cancels || row->cancels != 0;
    bool ok = store_array_text(c[COL_NUMBER], row->number) &&
              store_array_int(c[COL_USE_CASE], row->use_case) &&
              store_array_text(c[COL_DOCUMENT], text_or_none(row->document)) &&
              store_array_text(c[COL_LOCATION], text_or_none(row->location)) &&
              store_array_text(c[COL_DEVICE], text_or_none(row->device)) &&
              store_array_text(c[COL_CONFIG], text_or_none(row->config_id)) &&
              store_array_text(c[COL_OBIS], obis) && store_array_text(c[COL_CHANNELS], channels) &&
              store_array_time(c[COL_FROM], row->from) && store_array_time(c[COL_TO], row->to) &&
              store_array_int(c[COL_DIGEST], row->digest) &&
              store_array_int(c[COL_VALUES], row->n_values) &&
              store_array_int(c[COL_AT], (int64_t)row->content_at) &&
              store_array_int(c[COL_LEN], (int64_t)row->content_len) &&
              store_array_int(c[COL_CANCELS], row->cancels);
    return ok ? EMT_OK : EMT_ENOMEM;
}

enum emt_err export_messages_insert(struct store *s, int32_t tenant, int64_t file_id,
                                    const char *receiver, emt_time version,
                                    struct export_messages *m)
{
    struct store_param p[4 + COLUMNS];

    p_int4(&p[0], tenant);
    p_int8(&p[1], file_id);
    p_text(&p[2], receiver);
    p_time(&p[3], version);
    for (int i = 0; i < COLUMNS; i++)
        p_array(&p[4 + i], m->columns[i]);
    enum emt_err err = store_run(s, &statements[MESSAGE_INSERT], p, NULL);
    if (err == EMT_OK && m->cancels)
        err = store_run(s, &statements[MESSAGE_CANCEL], p, NULL);
    return err;
}

enum emt_err export_messages_sent(struct store *s, int32_t tenant, unsigned use_case,
                                  const char *receiver, struct store_array *locations,
                                  emt_time from, emt_time to, int64_t taken_back_by,
                                  struct store_result **out)
{
    struct store_param p[7];

    p_int4(&p[0], tenant);
    p_int4(&p[1], (int32_t)use_case);
    p_text(&p[2], receiver);
    p_array(&p[3], locations);
    p_time(&p[4], from);
    p_time(&p[5], to);
    p_int8(&p[6], taken_back_by);
    return store_run(s, &statements[MESSAGE_SENT], p, out);
}

enum emt_err export_message_content(struct store *s, int32_t tenant, int64_t message,
                                    struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], message);
    return store_run_row(s, &statements[MESSAGE_CONTENT], p, out);
}

enum emt_err export_message_list(struct store *s, int32_t tenant, int64_t file_id,
                                 struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], file_id);
    return store_run(s, &statements[MESSAGE_LIST], p, out);
}

enum emt_err export_cancelled_case(struct store *s, int32_t tenant, int64_t file_id,
                                   int64_t *use_case)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], file_id);
    return store_run_number(s, &statements[CANCELLED_CASE], p, use_case);
}
