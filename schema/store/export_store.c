#include "store/export_store.h"

#include <stdio.h>

enum {
    TENANT,
    BINDINGS,
    NUMBER_SEED,
    NUMBER_LOCK,
    NUMBER_SET,
    FILE_INSERT,
    FILE_OF_JOB,
    FILE_LIST,
    FILE_GET,
    STATEMENTS
};

#define FILE_COLUMNS                                                                               \
    "file_id, kind, pid, sender, receiver, reference, file_name, period_from, period_to,"          \
    " created_at, messages, notes, length(content)"

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [TENANT] = { "export_tenant", 1,
        "SELECT coalesce(own_mp_id, ''), profile_tolerance_s, mandates_required FROM tenant WHERE id = $1" },
    [BINDINGS] = { "export_bindings", 5,
        "SELECT l.code, coalesce(l.receiver_mp_id, ''), b.binding_id, b.channel_id, b.obis,"
        " b.ratio_mantissa, b.ratio_exponent, b.device_number, coalesce(c.unit, ''),"
        " c.kind, d.active, b.valid_from, b.valid_to"
        " FROM location l"
        " LEFT JOIN location_channel b ON b.tenant_id = l.tenant_id"
        "  AND b.location_id = l.location_id"
        "  AND b.valid_from < $5 AND (b.valid_to IS NULL OR b.valid_to > $4)"
        " LEFT JOIN channel c ON c.tenant_id = b.tenant_id AND c.channel_id = b.channel_id"
        " LEFT JOIN device d ON d.tenant_id = c.tenant_id AND d.device_id = c.device_id"
        " WHERE l.tenant_id = $1 AND l.kind = $2 AND ($3::text IS NULL OR l.code = $3)"
        " ORDER BY 2, l.code, b.obis, b.valid_from, b.binding_id" },
    [NUMBER_SEED] = { "export_number_seed", 2,
        "INSERT INTO export_number (tenant_id, sender, last) VALUES ($1, $2, '')"
        " ON CONFLICT (tenant_id, sender) DO NOTHING" },
    [NUMBER_LOCK] = { "export_number_lock", 2,
        "SELECT last FROM export_number WHERE tenant_id = $1 AND sender = $2 FOR UPDATE" },
    [NUMBER_SET] = { "export_number_set", 3,
        "UPDATE export_number SET last = $3 WHERE tenant_id = $1 AND sender = $2" },
    [FILE_INSERT] = { "export_file_insert", 14,
        "INSERT INTO export_file (tenant_id, kind, pid, sender, receiver, reference,"
        " file_name, period_from, period_to, created_at, messages, notes, content, job_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        " RETURNING file_id" },
    [FILE_OF_JOB] = { "export_file_of_job", 3,
        "SELECT file_id, notes FROM export_file"
        " WHERE tenant_id = $1 AND job_id = $2::int8 AND receiver = $3::text" },
    [FILE_LIST] = { "export_file_list", 3,
        "SELECT " FILE_COLUMNS " FROM export_file"
        " WHERE tenant_id = $1 AND ($2::int8 = 0 OR file_id < $2)"
        " ORDER BY file_id DESC LIMIT $3" },
    [FILE_GET] = { "export_file_get", 2,
        "SELECT " FILE_COLUMNS ", content FROM export_file"
        " WHERE tenant_id = $1 AND file_id = $2" },
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

enum emt_err export_bindings(struct store *s, int32_t tenant, enum location_kind kind,
                             const char *location, emt_time from, emt_time to,
                             struct store_result **out)
{
    struct store_param p[5];

    p_int4(&p[0], tenant);
    p_int2(&p[1], (int16_t)kind);
    p_text(&p[2], location);
    p_time(&p[3], from);
    p_time(&p[4], to);
    return store_run(s, &statements[BINDINGS], p, out);
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
    struct store_param p[14];

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
    return store_run_number(s, &statements[FILE_INSERT], p, file_id);
}

enum emt_err export_file_of_job(struct store *s, int32_t tenant, int64_t job, const char *receiver,
                                struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], job);
    p_text(&p[2], receiver);
    return store_run_row(s, &statements[FILE_OF_JOB], p, out);
}

enum emt_err export_file_list(struct store *s, int32_t tenant, int64_t before, int limit,
                              struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], before);
    p_int8(&p[2], limit);
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
