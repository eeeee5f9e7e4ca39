#include "store/acknowledgement_store.h"

#include "store/store_rows.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum {
    INSERT,
    NOTES_INSERT,
    LIST,
    LIST_FILE,
    GET,
    NOTES_OF,
    NOTES_ABOUT,
    FILE_FIND,
    FILE_STATE,
    MESSAGES_STATE,
    MESSAGE_FIND,
    FILE_DELIVERED,
    FILE_REPLACES,
    FILES_OVERDUE,
    FILE_LOCK,
    FILE_FACTS,
    FILES_FACTS,
    MESSAGE_LIST,
    TRACE,
    TRACE_CHANNEL,
    TRACE_FRAMES,
    RULE_LIST,
    RULE_PUT,
    RULE_DELETE,
    STATEMENTS
};

/* clang-format off */
/* By enum export_state: written, delivered, accepted, rejected, refused, overdue. */
#define RANK(state) "(ARRAY[0, 1, 3, 5, 4, 2])[" state " + 1]"
/* Within which a partner answers, in seconds. */
#define WITHIN(tenant, partner) \
    "coalesce((SELECT r.within_s FROM acknowledgement_rule r WHERE r.tenant_id = " tenant \
    " AND r.mp_id IN (" partner ", '') ORDER BY r.mp_id DESC LIMIT 1), 86400)"
/* The columns of enum acknowledgement_column. */
#define ACKNOWLEDGEMENT_SELECT \
    "SELECT a.acknowledgement_id::text, a.acknowledgement_id, a.kind, a.sender, a.recipient," \
    " a.reference, a.version, a.test, a.source, a.file_name, a.received_at, a.received_by, a.repeats," \
    " (SELECT coalesce(max(n.verdict), 0)::int2 FROM acknowledgement_note n" \
    "  WHERE n.tenant_id = a.tenant_id AND n.acknowledgement_id = a.acknowledgement_id)," \
    " (SELECT count(*) FROM acknowledgement_note n WHERE n.tenant_id = a.tenant_id" \
    "  AND n.acknowledgement_id = a.acknowledgement_id AND n.file_id IS NULL)"
#define UNMATCHED \
    "(NOT $3::bool OR EXISTS (SELECT FROM acknowledgement_note u WHERE u.tenant_id = a.tenant_id" \
    " AND u.acknowledgement_id = a.acknowledgement_id AND u.file_id IS NULL))"
#define NOTE_SELECT \
    "SELECT n.acknowledgement_id, n.nth, a.kind, a.reference, a.received_at, n.interchange," \
    " n.file_id, n.message_id, n.level, n.verdict, n.message, n.document, n.code, n.segment," \
    " n.element, n.component, n.text FROM acknowledgement_note n" \
    " JOIN acknowledgement a ON a.tenant_id = n.tenant_id" \
    " AND a.acknowledgement_id = n.acknowledgement_id"
/* The columns of enum sent_message_column. */
#define MESSAGE_COLUMNS \
    "m.nth::text, m.message_id, m.file_id, m.nth, m.number, m.use_case, m.location," \
    " m.device_number, m.config_id, to_jsonb(m.obis)::text, to_jsonb(m.channels)::text," \
    " m.period_from, m.period_to, m.version, m.n_values, m.cancels_id, m.cancelled_by, m.state," \
    " m.state_at, m.state_text"

/* The columns of enum sent_file_column. */
#define FACTS_SELECT \
    "SELECT f.file_id, f.state, f.state_at, f.state_text, f.delivered_at," \
    " CASE WHEN f.kind = 'mscons' AND " WITHIN("f.tenant_id", "f.receiver") " > 0" \
    " THEN f.delivered_at + make_interval(secs => " WITHIN("f.tenant_id", "f.receiver") ") END," \
    " f.replaces_id," \
    " (SELECT max(x.file_id) FROM export_file x WHERE x.tenant_id = f.tenant_id AND x.replaces_id = f.file_id)" \
    " FROM export_file f"

static const struct store_statement statements[STATEMENTS] = {
    [INSERT] = { "acknowledgement_insert", 13,
        "INSERT INTO acknowledgement AS a (tenant_id, kind, sender, recipient, reference, version, test,"
        " source, file_name, received_at, received_by, digest, content)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        " ON CONFLICT (tenant_id, digest) DO UPDATE SET repeats = a.repeats + 1"
        " RETURNING acknowledgement_id, repeats > 0" },
    [NOTES_INSERT] = { "acknowledgement_notes_insert", 15,
        "INSERT INTO acknowledgement_note (tenant_id, acknowledgement_id, nth, interchange, file_id,"
        " message_id, level, verdict, message, document, code, segment, element, component, text)"
        " SELECT $1::int4, $2::int8, * FROM unnest($3::int4[], $4::text[], $5::int8[], $6::int8[],"
        " $7::int2[], $8::int2[], $9::text[], $10::text[], $11::text[], $12::text[], $13::int4[],"
        " $14::int4[], $15::text[])" },
    [LIST] = { "acknowledgement_list", 4,
        ACKNOWLEDGEMENT_SELECT " FROM acknowledgement a WHERE a.tenant_id = $1"
        " AND ($2::int8 = 0 OR a.acknowledgement_id < $2) AND " UNMATCHED
        " ORDER BY a.acknowledgement_id DESC LIMIT $4" },
    [LIST_FILE] = { "acknowledgement_list_file", 5,
        ACKNOWLEDGEMENT_SELECT " FROM acknowledgement a WHERE a.tenant_id = $1"
        " AND ($2::int8 = 0 OR a.acknowledgement_id < $2) AND " UNMATCHED
        " AND a.acknowledgement_id IN (SELECT n.acknowledgement_id FROM acknowledgement_note n"
        "  WHERE n.tenant_id = $1 AND n.file_id = $5)"
        " ORDER BY a.acknowledgement_id DESC LIMIT $4" },
    [GET] = { "acknowledgement_get", 2,
        ACKNOWLEDGEMENT_SELECT ", a.content FROM acknowledgement a"
        " WHERE a.tenant_id = $1 AND a.acknowledgement_id = $2" },
    [NOTES_OF] = { "acknowledgement_notes_of", 2,
        NOTE_SELECT " WHERE n.tenant_id = $1 AND n.acknowledgement_id = $2 ORDER BY n.nth" },
    [NOTES_ABOUT] = { "acknowledgement_notes_about", 2,
        NOTE_SELECT " WHERE n.tenant_id = $1 AND n.file_id = $2"
        " ORDER BY n.acknowledgement_id, n.nth LIMIT 5000" },
    [FILE_FIND] = { "sent_file_find", 4,
        "SELECT file_id FROM export_file WHERE tenant_id = $1 AND sender = $2 AND receiver = $3"
        " AND reference = $4 AND kind = 'mscons' FOR UPDATE" },
    [FILE_STATE] = { "sent_file_state", 5,
        "UPDATE export_file SET state = $3::int2, state_at = $4, state_text = $5"
        " WHERE tenant_id = $1 AND file_id = $2 AND " RANK("state") " < " RANK("$3::int2") },
    [MESSAGES_STATE] = { "sent_messages_state", 7,
        "UPDATE export_message SET state = $5::int2, state_at = $6, state_text = $7"
        " WHERE tenant_id = $1 AND file_id = $2 AND ($3::text = '' OR nth::text = $3)"
        " AND ($4::text = '' OR number = $4) AND " RANK("state") " < " RANK("$5::int2") },
    [MESSAGE_FIND] = { "sent_message_find", 4,
        "SELECT message_id FROM export_message WHERE tenant_id = $1 AND file_id = $2"
        " AND ($3::text = '' OR nth::text = $3) AND ($4::text = '' OR number = $4)"
        " ORDER BY nth LIMIT 1" },
    [FILE_DELIVERED] = { "sent_file_delivered", 3,
        "WITH f AS (UPDATE export_file SET delivered_at = coalesce(delivered_at, $3),"
        "  state_at = CASE WHEN state = 0 THEN $3 ELSE state_at END,"
        "  state = CASE WHEN state = 0 THEN 1 ELSE state END"
        "  WHERE tenant_id = $1 AND file_id = $2)"
        " UPDATE export_message SET state = 1, state_at = $3"
        " WHERE tenant_id = $1 AND file_id = $2 AND state = 0" },
    [FILE_REPLACES] = { "sent_file_replaces", 3,
        "UPDATE export_file SET replaces_id = $3 WHERE tenant_id = $1 AND file_id = $2" },
    [FILES_OVERDUE] = { "sent_files_overdue", 2,
        "SELECT f.tenant_id, f.file_id, f.file_name, f.receiver FROM export_file f"
        " WHERE f.state = 1 AND f.kind = 'mscons' AND f.delivered_at < $1::timestamptz"
        " AND " WITHIN("f.tenant_id", "f.receiver") " > 0"
        " AND f.delivered_at + make_interval(secs => " WITHIN("f.tenant_id", "f.receiver") ") < $1"
        " ORDER BY f.delivered_at LIMIT $2 FOR UPDATE SKIP LOCKED" },
    [FILE_LOCK] = { "sent_file_lock", 2,
        "SELECT state FROM export_file WHERE tenant_id = $1 AND file_id = $2 FOR UPDATE" },
    [FILE_FACTS] = { "sent_file_facts", 2,
        FACTS_SELECT " WHERE f.tenant_id = $1 AND f.file_id = $2" },
    [FILES_FACTS] = { "sent_files_facts", 2,
        FACTS_SELECT " WHERE f.tenant_id = $1 AND f.file_id = ANY ($2::int8[])"
        " ORDER BY f.file_id DESC" },
    [MESSAGE_LIST] = { "sent_message_list", 4,
        "SELECT " MESSAGE_COLUMNS " FROM export_message m"
        " WHERE m.tenant_id = $1 AND m.file_id = $2 AND m.nth > $3::int8 ORDER BY m.nth LIMIT $4" },
    [TRACE] = { "sent_trace", 4,
        "SELECT " MESSAGE_COLUMNS ", f.reference, f.file_name, f.receiver, f.created_at, f.state"
        " FROM export_message m"
        " JOIN export_file f ON f.tenant_id = m.tenant_id AND f.file_id = m.file_id"
        " WHERE m.tenant_id = $1 AND m.channels @> ARRAY[$2::int8] AND m.period_to >= $3::timestamptz"
        " AND m.period_from <= $3 AND (m.period_from < $3 OR m.period_from = m.period_to OR m.use_case = 0)"
        " ORDER BY m.message_id DESC LIMIT $4" },
    [TRACE_CHANNEL] = { "sent_trace_channel", 2,
        "SELECT d.ident, d.device_id, c.key FROM channel c"
        " LEFT JOIN device d ON d.tenant_id = c.tenant_id AND d.device_id = c.device_id"
        " WHERE c.tenant_id = $1 AND c.channel_id = $2" },
    [TRACE_FRAMES] = { "sent_trace_frames", 6,
        "SELECT g.external_id, encode(f.spool_id, 'hex'), f.seq, f.received_at, f.stored_at, f.state"
        " FROM raw_frame f JOIN gateway g ON g.tenant_id = f.tenant_id AND g.gateway_id = f.gateway_id"
        " WHERE f.tenant_id = $1 AND f.device_id = $2 AND f.received_at >= $3 AND f.received_at < $4"
        " AND f.stored_at >= $3::timestamptz - interval '1 day'"
        " ORDER BY abs(extract(epoch FROM f.received_at - $5::timestamptz)), f.gateway_id, f.seq LIMIT $6" },
    [RULE_LIST] = { "acknowledgement_rule_list", 1,
        "SELECT mp_id, within_s FROM acknowledgement_rule WHERE tenant_id = $1 ORDER BY mp_id" },
    [RULE_PUT] = { "acknowledgement_rule_put", 3,
        "INSERT INTO acknowledgement_rule (tenant_id, mp_id, within_s) VALUES ($1, $2, $3)"
        " ON CONFLICT (tenant_id, mp_id) DO UPDATE SET within_s = excluded.within_s" },
    [RULE_DELETE] = { "acknowledgement_rule_delete", 2,
        "DELETE FROM acknowledgement_rule WHERE tenant_id = $1 AND mp_id = $2" },
};
/* clang-format on */

const struct store_statement *acknowledgement_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

static void two(struct store_param *p, int32_t tenant, int64_t id)
{
    p_int4(&p[0], tenant);
    p_int8(&p[1], id);
}

/* --- answers --- */

enum emt_err acknowledgement_insert(struct store *s, int32_t tenant,
                                    const struct acknowledgement_row *row, int64_t *id,
                                    bool *repeated)
{
    struct store_result *r = NULL;
    struct store_param p[13];

    p_int4(&p[0], tenant);
    p_text(&p[1], row->kind);
    p_text(&p[2], row->sender);
    p_text(&p[3], row->recipient);
    p_text(&p[4], row->reference);
    p_text(&p[5], row->version);
    p_bool(&p[6], row->test);
    p_text(&p[7], row->source);
    p_text(&p[8], row->file_name);
    p_time(&p[9], row->received);
    p_text(&p[10], row->received_by);
    p_bytes(&p[11], row->digest, 32);
    p_bytes(&p[12], row->content, row->content_len);
    enum emt_err err = store_run_row(s, &statements[INSERT], p, &r);
    if (err != EMT_OK)
        return err;
    *id = c_int(r, 0, 0);
    *repeated = c_bool(r, 0, 1);
    store_result_free(r);
    return EMT_OK;
}

struct acknowledgement_notes {
    struct store_rows rows;
};

struct acknowledgement_notes *acknowledgement_notes_new(void)
{
    static const enum store_type types[] = { STORE_INT4, STORE_TEXT, STORE_INT8, STORE_INT8,
                                             STORE_INT2, STORE_INT2, STORE_TEXT, STORE_TEXT,
                                             STORE_TEXT, STORE_TEXT, STORE_INT4, STORE_INT4,
                                             STORE_TEXT };
    struct acknowledgement_notes *n = calloc(1, sizeof *n);

    if (n != NULL && store_rows_init(&n->rows, types, sizeof types / sizeof types[0]))
        return n;
    acknowledgement_notes_free(n);
    return NULL;
}

void acknowledgement_notes_free(struct acknowledgement_notes *n)
{
    if (n == NULL)
        return;
    store_rows_release(&n->rows);
    free(n);
}

static bool add_id(struct store_array *a, int64_t id)
{
    return id != 0 ? store_array_int(a, id) : store_array_null(a);
}

enum emt_err acknowledgement_notes_add(struct acknowledgement_notes *n,
                                       const struct acknowledgement_note_row *row)
{
    struct store_array **c = n->rows.column;
    bool ok = store_array_int(c[0], row->nth) && store_array_text(c[1], row->interchange) &&
              add_id(c[2], row->file) && add_id(c[3], row->sent) &&
              store_array_int(c[4], row->level) && store_array_int(c[5], row->verdict) &&
              store_array_text(c[6], row->message) && store_array_text(c[7], row->document) &&
              store_array_text(c[8], row->code) && store_array_text(c[9], row->segment) &&
              store_array_int(c[10], row->element) && store_array_int(c[11], row->component) &&
              store_array_text(c[12], row->text);

    return ok ? EMT_OK : EMT_ENOMEM;
}

enum emt_err acknowledgement_notes_insert(struct store *s, int32_t tenant, int64_t id,
                                          struct acknowledgement_notes *n)
{
    struct store_param p[15];

    two(p, tenant, id);
    for (unsigned i = 0; i < n->rows.n; i++)
        p_array(&p[2 + i], n->rows.column[i]);
    return store_run(s, &statements[NOTES_INSERT], p, NULL);
}

enum emt_err acknowledgement_list(struct store *s, int32_t tenant, int64_t file, bool unmatched,
                                  int64_t before, int limit, struct store_result **out)
{
    struct store_param p[5];

    two(p, tenant, before);
    p_bool(&p[2], unmatched);
    p_int8(&p[3], limit);
    p_int8(&p[4], file);
    return store_run(s, &statements[file != 0 ? LIST_FILE : LIST], p, out);
}

enum emt_err acknowledgement_get(struct store *s, int32_t tenant, int64_t id,
                                 struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, id);
    return store_run_row(s, &statements[GET], p, out);
}

enum emt_err acknowledgement_note_list(struct store *s, int32_t tenant, int64_t id, int64_t file,
                                       struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, file != 0 ? file : id);
    return store_run(s, &statements[file != 0 ? NOTES_ABOUT : NOTES_OF], p, out);
}

/* --- what was sent --- */

enum emt_err sent_file_find(struct store *s, int32_t tenant, const char *sender,
                            const char *receiver, const char *reference, int64_t *file)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_text(&p[1], sender);
    p_text(&p[2], receiver);
    p_text(&p[3], reference);
    return store_run_number(s, &statements[FILE_FIND], p, file);
}

enum emt_err sent_file_state(struct store *s, int32_t tenant, int64_t file, enum export_state state,
                             emt_time at, const char *text, bool *risen)
{
    struct store_param p[5];

    two(p, tenant, file);
    p_int2(&p[2], (int16_t)state);
    p_time(&p[3], at);
    p_text(&p[4], text);
    enum emt_err err = store_run_touch(s, &statements[FILE_STATE], p);
    *risen = err == EMT_OK;
    return err == EMT_ENOTFOUND ? EMT_OK : err;
}

enum emt_err sent_messages_state(struct store *s, int32_t tenant, int64_t file, const char *message,
                                 const char *document, enum export_state state, emt_time at,
                                 const char *text, int64_t *n, int64_t *sent)
{
    struct store_result *r = NULL;
    struct store_param p[7];

    two(p, tenant, file);
    p_text(&p[2], message);
    p_text(&p[3], document);
    p_int2(&p[4], (int16_t)state);
    p_time(&p[5], at);
    p_text(&p[6], text);
    *n = *sent = 0;
    enum emt_err err = store_run(s, &statements[MESSAGES_STATE], p, &r);
    if (err != EMT_OK)
        return err;
    *n = store_affected(r);
    store_result_free(r);
    if (message[0] == '\0' && document[0] == '\0')
        return EMT_OK;
    err = store_run_number(s, &statements[MESSAGE_FIND], p, sent);
    return err == EMT_ENOTFOUND ? EMT_OK : err;
}

enum emt_err sent_file_delivered(struct store *s, int32_t tenant, int64_t file, emt_time at)
{
    struct store_param p[3];

    two(p, tenant, file);
    p_time(&p[2], at);
    return store_run(s, &statements[FILE_DELIVERED], p, NULL);
}

enum emt_err sent_file_replaces(struct store *s, int32_t tenant, int64_t file, int64_t replaces)
{
    struct store_param p[3];

    two(p, tenant, file);
    p_int8(&p[2], replaces);
    return store_run_touch(s, &statements[FILE_REPLACES], p);
}

enum emt_err sent_files_overdue(struct store *s, emt_time now, int limit, struct store_result **out)
{
    struct store_param p[2];

    p_time(&p[0], now);
    p_int8(&p[1], limit);
    return store_run(s, &statements[FILES_OVERDUE], p, out);
}

enum emt_err sent_file_lock(struct store *s, int32_t tenant, int64_t file, int64_t *state)
{
    struct store_param p[2];

    two(p, tenant, file);
    return store_run_number(s, &statements[FILE_LOCK], p, state);
}

enum emt_err sent_file_facts(struct store *s, int32_t tenant, int64_t file,
                             struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, file);
    return store_run_row(s, &statements[FILE_FACTS], p, out);
}

enum emt_err sent_files_facts(struct store *s, int32_t tenant, struct store_array *files,
                              struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_array(&p[1], files);
    return store_run(s, &statements[FILES_FACTS], p, out);
}

enum emt_err sent_message_list(struct store *s, int32_t tenant, int64_t file, int64_t after,
                               int limit, struct store_result **out)
{
    struct store_param p[4];

    two(p, tenant, file);
    p_int8(&p[2], after);
    p_int8(&p[3], limit);
    return store_run(s, &statements[MESSAGE_LIST], p, out);
}

enum emt_err sent_trace(struct store *s, int32_t tenant, int64_t channel, emt_time at, int limit,
                        struct store_result **out)
{
    struct store_param p[4];

    two(p, tenant, channel);
    p_time(&p[2], at);
    p_int8(&p[3], limit);
    return store_run(s, &statements[TRACE], p, out);
}

enum emt_err sent_trace_channel(struct store *s, int32_t tenant, int64_t channel,
                                struct store_result **out)
{
    struct store_param p[2];

    two(p, tenant, channel);
    return store_run_row(s, &statements[TRACE_CHANNEL], p, out);
}

enum emt_err sent_trace_frames(struct store *s, int32_t tenant, int64_t device, emt_time from,
                               emt_time to, emt_time at, int limit, struct store_result **out)
{
    struct store_param p[6];

    two(p, tenant, device);
    p_time(&p[2], from);
    p_time(&p[3], to);
    p_time(&p[4], at);
    p_int8(&p[5], limit);
    return store_run(s, &statements[TRACE_FRAMES], p, out);
}

/* --- rules --- */

enum emt_err acknowledgement_rule_list(struct store *s, int32_t tenant, struct store_result **out)
{
    struct store_param p[1];

    p_int4(&p[0], tenant);
    return store_run(s, &statements[RULE_LIST], p, out);
}

enum emt_err acknowledgement_rule_put(struct store *s, int32_t tenant, const char *mp_id,
                                      int32_t within_s)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_text(&p[1], mp_id);
    p_int4(&p[2], within_s);
    return store_run(s, &statements[RULE_PUT], p, NULL);
}

enum emt_err acknowledgement_rule_delete(struct store *s, int32_t tenant, const char *mp_id)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_text(&p[1], mp_id);
    return store_run_touch(s, &statements[RULE_DELETE], p);
}
