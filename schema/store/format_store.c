#include "store/format_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { FORMAT_LOAD, FORMAT_INSERT, STATEMENTS };

static const struct store_statement statements[STATEMENTS] = {
    [FORMAT_LOAD] = { "format_load", 2,
                      "SELECT manufacturer, version, type, signature, header, verified FROM "
                      "frame_format WHERE tenant_id = $1"
                      " ORDER BY learnt_at LIMIT $2::int4" },
    /* A verified format replaces the word of an unverified one; that is worth a replay as well. */
    [FORMAT_INSERT] = { "format_insert", 8,
                        "WITH new AS (INSERT INTO frame_format (tenant_id, manufacturer, version, "
                        "type, signature, header, verified, learnt_at)"
                        " SELECT $1, u.manufacturer, u.version, u.type, u.signature, u.header, "
                        "u.verified, $8::timestamptz"
                        " FROM unnest($2::text[], $3::int2[], $4::int2[], $5::int4[], $6::bytea[], "
                        "$7::bool[])"
                        " AS u(manufacturer, version, type, signature, header, verified)"
                        " ON CONFLICT (tenant_id, manufacturer, version, type, signature, header) "
                        "DO UPDATE SET verified = true"
                        " WHERE excluded.verified AND NOT frame_format.verified RETURNING 1),"
                        " raised AS (INSERT INTO registry_version (tenant_id, version) SELECT $1, "
                        "2 WHERE EXISTS (SELECT FROM new)"
                        " ON CONFLICT (tenant_id) DO UPDATE SET version = registry_version.version "
                        "+ 1)"
                        " INSERT INTO job (tenant_id, kind, dedupe, payload, run_at)"
                        " SELECT $1, 'replay', 'format-needed', '{\"state\": \"format-needed\"}', "
                        "$8::timestamptz WHERE EXISTS (SELECT FROM new)"
                        " ON CONFLICT DO NOTHING" },
};

const struct store_statement *format_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err format_load_send(struct store *s, int32_t tenant, store_done *done, void *ctx)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int4(&p[1], FORMAT_LOAD_MAX);
    return store_send(s, &statements[FORMAT_LOAD], p, done, ctx);
}

void format_row_of(const struct store_result *r, int row, struct format_row *out)
{
    out->manufacturer = c_text(r, row, 0);
    out->version = (uint8_t)c_int(r, row, 1);
    out->type = (uint8_t)c_int(r, row, 2);
    out->signature = (uint16_t)c_int(r, row, 3);
    out->header = c_bytes(r, row, 4, &out->header_len);
    out->verified = c_bool(r, row, 5);
}

bool format_rows_init(struct store_rows *r)
{
    static const enum store_type types[] = { STORE_TEXT, STORE_INT2,  STORE_INT2,
                                             STORE_INT4, STORE_BYTES, STORE_BOOL };

    return store_rows_init(r, types, 6);
}

bool format_rows_add(struct store_rows *r, const struct format_row *f)
{
    return store_array_text(r->column[0], f->manufacturer) &&
           store_array_int(r->column[1], f->version) && store_array_int(r->column[2], f->type) &&
           store_array_int(r->column[3], f->signature) &&
           store_array_bytes(r->column[4], f->header, f->header_len) &&
           store_array_int(r->column[5], f->verified);
}

enum emt_err format_rows_send(struct store *s, int32_t tenant, struct store_rows *r, emt_time now)
{
    return store_rows_send(s, &statements[FORMAT_INSERT], tenant, r, now, NULL, NULL);
}
