#include "store/user_session_store.h"

#include "store/store.h"

#include <stdio.h>

enum { CREATE, FIND, SEEN, END, END_HASH, END_ALL, PURGE, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [CREATE] = { "user_session_create", 5,
        "insert into user_session (user_id, hash, created_at, seen_at, expires_at, peer)"
        " values ($1, $2, $3, $3, $4, $5) returning id" },
    [FIND] = { "user_session_find", 4,
        "select s.id, u.id, u.name, u.role, s.expires_at, s.seen_at < $2::timestamptz - interval '1 minute',"
        " t.id, m.role"
        " from user_session s join platform_user u on u.id = s.user_id"
        " left join tenant t on t.key = $4 and t.state = 0"
        " left join membership m on m.tenant_id = t.id and m.user_id = u.id"
        " where s.hash = $1 and s.expires_at > $2 and s.seen_at > $3 and u.disabled_at is null" },
    [SEEN] = { "user_session_seen", 2,
        "update user_session set seen_at = $2 where id = (select id from user_session"
        " where id = $1 and seen_at < $2::timestamptz for update skip locked)" },
    [END] = { "user_session_end", 1, "delete from user_session where id = $1" },
    [END_HASH] = { "user_session_end_hash", 1, "delete from user_session where hash = $1" },
    [END_ALL] = { "user_session_end_all", 2,
        "delete from user_session where user_id = $1 and id <> $2" },
    [PURGE] = { "user_session_purge", 2,
        "delete from user_session where id in (select id from user_session"
        " where expires_at < $1 or seen_at < $2 order by expires_at limit 100"
        " for update skip locked)" },
};
/* clang-format on */

const struct store_statement *user_session_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err user_session_create(struct store *s, int64_t user, const uint8_t hash[32],
                                 emt_time now, emt_time expires_at, const char *peer, int64_t *id)
{
    struct store_param p[5];

    p_int8(&p[0], user);
    p_bytes(&p[1], hash, 32);
    p_time(&p[2], now);
    p_time(&p[3], expires_at);
    p_text(&p[4], peer);
    return store_run_number(s, &statements[CREATE], p, id);
}

enum emt_err user_session_find(struct store *s, const uint8_t hash[32], emt_time now,
                               emt_time idle_since, const char *tenant_key,
                               struct user_session *out)
{
    struct store_result *r = NULL;
    struct store_param p[4];

    p_bytes(&p[0], hash, 32);
    p_time(&p[1], now);
    p_time(&p[2], idle_since);
    p_text(&p[3], tenant_key);
    enum emt_err err = store_run_row(s, &statements[FIND], p, &r);
    if (err != EMT_OK)
        return err;
    *out = (struct user_session){ .id = c_int(r, 0, 0),
                                  .user_id = c_int(r, 0, 1),
                                  .platform_role = (enum platform_role)c_int(r, 0, 3),
                                  .expires_at = c_time(r, 0, 4),
                                  .unnoted = c_bool(r, 0, 5),
                                  .tenant = c_null(r, 0, 7) ? 0 : (int32_t)c_int(r, 0, 6),
                                  .tenant_role = (int)c_int(r, 0, 7) };
    snprintf(out->user_name, sizeof out->user_name, "%s", c_text(r, 0, 2));
    store_result_free(r);
    return EMT_OK;
}

enum emt_err user_session_seen(struct store *s, int64_t id, emt_time now)
{
    struct store_param p[2];

    p_int8(&p[0], id);
    p_time(&p[1], now);
    return store_run(s, &statements[SEEN], p, NULL);
}

enum emt_err user_session_end(struct store *s, int64_t id)
{
    struct store_param p;

    p_int8(&p, id);
    return store_run(s, &statements[END], &p, NULL);
}

enum emt_err user_session_end_hash(struct store *s, const uint8_t hash[32])
{
    struct store_param p;

    p_bytes(&p, hash, 32);
    return store_run(s, &statements[END_HASH], &p, NULL);
}

enum emt_err user_session_end_all(struct store *s, int64_t user, int64_t but)
{
    struct store_param p[2];

    p_int8(&p[0], user);
    p_int8(&p[1], but);
    return store_run(s, &statements[END_ALL], p, NULL);
}

enum emt_err user_session_purge(struct store *s, emt_time now, emt_time idle_since)
{
    struct store_param p[2];

    p_time(&p[0], now);
    p_time(&p[1], idle_since);
    return store_run(s, &statements[PURGE], p, NULL);
}
