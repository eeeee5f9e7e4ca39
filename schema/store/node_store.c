#include "store/node_store.h"

#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>

enum { REGISTER, RESTORE, RENEW, REVIVE, END, EXPIRE, FORGET, COUNT, WAKE, STAND, ENSURE };

/* node is an ordinary table and never distributed: now() is the one clock here. */
static const struct store_statement statements[] = {
    [REGISTER] = { "node_register", 2,
                   "insert into node (name, version, lease_until)"
                   " values ($1, $2, now() + interval '15 seconds') returning id" },
    [RESTORE] = { "node_restore", 3,
                  "insert into node (id, name, version, lease_until)"
                  " values ($1, $2, $3, now() + interval '15 seconds') on conflict do nothing" },
    [RENEW] = { "node_renew", 1,
                "update node n set lease_until = now() + interval '15 seconds'"
                " from (select id, lease_until < now() as lapsed from node where id = $1 for update) o"
                " where n.id = o.id returning o.lapsed" },
    [REVIVE] = { "node_revive", 1,
                 "update gateway_session set state = 0, ended_at = null, reason = ''"
                 " where node_id = $1 and state = 2 and reason = 'node-lost'" },
    [END] = { "node_end", 1, "update node set lease_until = now() where id = $1" },
    [EXPIRE] = { "node_expire", 0, "select sessions_expire(now())" },
    [FORGET] = { "node_forget", 0,
                 "delete from node where lease_until < now() - interval '1 day'" },
    [COUNT] = { "node_count", 0, "select count(*) from node where lease_until > now()" },
    /* A commit that notifies writes to the log; whoever is woken need not wait for the disk. */
    [WAKE] = { "node_wake", 1,
               "select set_config('synchronous_commit', 'off', true),"
               " pg_notify('emt_node_' || id, '')::text from node"
               " where id <> $1 and lease_until > now()" },
    [STAND] = { "node_partitions_stand", 0,
                "select exists (select from storage_window where hot_to > now() + interval '1 day')"
                " and to_regclass('raw_frame_' || to_char(now() at time zone 'UTC'"
                " + interval '1 day', 'YYYYMMDD')) is not null" },
    [ENSURE] = { "node_partitions_ensure", 1, "select partitions_ensure(now(), $1)::text" },
};

const struct store_statement *node_store_statements(size_t *n)
{
    *n = sizeof statements / sizeof statements[0];
    return statements;
}

static enum emt_err one_number(struct store *s, const struct store_statement *st,
                               const struct store_param *p, int64_t *out)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, st, p, &r);

    if (err == EMT_OK && store_rows(r) != 1)
        err = EMT_ENOTFOUND;
    if (err == EMT_OK && out)
        *out = c_int(r, 0, 0);
    store_result_free(r);
    return err;
}

enum emt_err node_register(struct store *s, const char *name, const char *version, int64_t *id)
{
    struct store_param p[2];

    p_text(&p[0], name);
    p_text(&p[1], version);
    return one_number(s, &statements[REGISTER], p, id);
}

enum emt_err node_renew(struct store *s, int64_t id, bool *lapsed)
{
    struct store_result *r = NULL;
    struct store_param p;
    enum emt_err err;

    *lapsed = false;
    p_int8(&p, id);
    err = store_run(s, &statements[RENEW], &p, &r);
    if (err == EMT_OK && store_rows(r) != 1)
        err = EMT_ENOTFOUND;
    if (err == EMT_OK)
        *lapsed = c_bool(r, 0, 0);
    store_result_free(r);
    if (err == EMT_OK && *lapsed)
        err = store_run(s, &statements[REVIVE], &p, NULL);
    return err;
}

enum emt_err node_end(struct store *s, int64_t id)
{
    struct store_param p;

    p_int8(&p, id);
    return store_run(s, &statements[END], &p, NULL);
}

enum emt_err node_expire(struct store *s, int64_t *lost)
{
    enum emt_err err = one_number(s, &statements[EXPIRE], NULL, lost);

    return err == EMT_OK ? store_run(s, &statements[FORGET], NULL, NULL) : err;
}

enum emt_err node_count(struct store *s, int64_t *alive)
{
    return one_number(s, &statements[COUNT], NULL, alive);
}

enum emt_err node_restore(struct store *s, int64_t id, const char *name, const char *version)
{
    struct store_param p[3];

    p_int8(&p[0], id);
    p_text(&p[1], name);
    p_text(&p[2], version);
    return store_run(s, &statements[RESTORE], p, NULL);
}

const char *node_channel(int64_t id, char buf[40])
{
    snprintf(buf, 40, "emt_node_%" PRId64, id);
    return buf;
}

enum emt_err node_wake_others(struct store *s, int64_t id)
{
    struct store_param p;

    p_int8(&p, id);
    return store_run(s, &statements[WAKE], &p, NULL);
}

enum emt_err node_partitions_stand(struct store *s, bool *stand)
{
    struct store_result *r = NULL;
    enum emt_err err = store_run(s, &statements[STAND], NULL, &r);

    *stand = err == EMT_OK && c_bool(r, 0, 0);
    store_result_free(r);
    return err;
}

enum emt_err node_partitions_ensure(struct store *s, int32_t hot_days)
{
    struct store_param p;

    p_int4(&p, hot_days);
    return store_run(s, &statements[ENSURE], &p, NULL);
}
