#include "store/login_store.h"

#include "store/store.h"

enum { ATTEMPT, WAIT, SETTLE, PLACE_KNOWN, PLACE_NOTE, FORGET, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    /* One statement, so that attempts at the same moment count one after the other. */
    [ATTEMPT] = { "login_attempt", 6,
        "insert into login_throttle as l (kind, key, attempts, last_at, blocked_until)"
        " values ($1::int2, $2, 1, $3, $3)"
        " on conflict (kind, key) do update set"
        "  attempts = case when l.last_at < $6 then 1 else l.attempts + 1 end,"
        "  last_at = $3,"
        "  blocked_until = case when l.last_at < $6 or l.attempts + 1 < $4::int4 then $3"
        "   else $3 + make_interval(secs => least($5::int4, 2 ^ least(l.attempts + 1 - $4::int4, 20))) end"
        "  where l.blocked_until <= $3"
        " returning l.attempts" },
    [WAIT] = { "login_wait", 3,
        "select ceil(extract(epoch from blocked_until - $3::timestamptz))::int8 from login_throttle"
        " where kind = $1 and key = $2" },
    [SETTLE] = { "login_settle", 4,
        "update login_throttle set attempts = case when $3::bool then 0 else greatest(attempts - 1, 0) end,"
        " blocked_until = least(blocked_until, $4) where kind = $1 and key = $2" },
    [PLACE_KNOWN] = { "login_place_known", 3,
        "select count(*) from login_place p join platform_user u on u.id = p.user_id"
        " where u.name = $1 and p.address = $2 and p.at > $3" },
    [PLACE_NOTE] = { "login_place_note", 3,
        "insert into login_place (user_id, address, at) values ($1, $2, $3)"
        " on conflict (user_id, address) do update set at = $3" },
    [FORGET] = { "login_forget", 1,
        "delete from login_throttle where (kind, key) in (select kind, key from login_throttle"
        " where last_at < $1 order by last_at limit 100 for update skip locked)" },
};
/* clang-format on */

const struct store_statement *login_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err login_attempt(struct store *s, enum login_kind kind, const void *key, size_t len,
                           const struct login_rule *rule, emt_time now, int32_t *attempts,
                           int64_t *wait_s)
{
    struct store_param p[6];
    int64_t n = 0;

    *attempts = 0;
    *wait_s = 0;
    p_int2(&p[0], (int16_t)kind);
    p_bytes(&p[1], key, len);
    p_time(&p[2], now);
    p_int4(&p[3], rule->free);
    p_int4(&p[4], rule->most_s);
    p_time(&p[5], now - rule->window);
    enum emt_err err = store_run_number(s, &statements[ATTEMPT], p, &n);
    *attempts = (int32_t)n;
    if (err != EMT_ENOTFOUND)
        return err;
    err = store_run_number(s, &statements[WAIT], p, wait_s);
    if (err == EMT_ENOTFOUND) /* forgotten since */
        err = EMT_OK;
    *wait_s = *wait_s < 1 ? 1 : *wait_s;
    return err;
}

enum emt_err login_settle(struct store *s, enum login_kind kind, const void *key, size_t len,
                          bool all, emt_time now)
{
    struct store_param p[4];

    p_int2(&p[0], (int16_t)kind);
    p_bytes(&p[1], key, len);
    p_bool(&p[2], all);
    p_time(&p[3], now);
    return store_run(s, &statements[SETTLE], p, NULL);
}

enum emt_err login_place_known(struct store *s, const char *name, const uint8_t address[16],
                               emt_time since, bool *known)
{
    struct store_param p[3];
    int64_t n = 0;

    p_text(&p[0], name);
    p_bytes(&p[1], address, 16);
    p_time(&p[2], since);
    enum emt_err err = store_run_number(s, &statements[PLACE_KNOWN], p, &n);
    *known = n > 0;
    return err;
}

enum emt_err login_place_note(struct store *s, int64_t user, const uint8_t address[16],
                              emt_time now)
{
    struct store_param p[3];

    p_int8(&p[0], user);
    p_bytes(&p[1], address, 16);
    p_time(&p[2], now);
    return store_run(s, &statements[PLACE_NOTE], p, NULL);
}

enum emt_err login_forget(struct store *s, emt_time before)
{
    struct store_param p;

    p_time(&p, before);
    return store_run(s, &statements[FORGET], &p, NULL);
}
