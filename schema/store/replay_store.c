#include "store/replay_store.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

enum { DEVICES, DEVICE, CHANNELS, KEEP, FORGET, GET, STATEMENTS };

/* clang-format off */
static const struct store_statement statements[STATEMENTS] = {
    [DEVICES] = { "replay_devices", 3,
        "SELECT device_id, ident FROM device"
        " WHERE tenant_id = $1 AND device_id > $2 AND assignment = 1 ORDER BY device_id LIMIT $3" },
    [DEVICE] = { "replay_device", 2,
        "SELECT device_id, ident FROM device WHERE tenant_id = $1 AND device_id = $2 AND assignment = 1" },
    [CHANNELS] = { "replay_channels", 2,
        "SELECT c.channel_id, c.key FROM channel c"
        " WHERE c.tenant_id = $1 AND c.device_id = $2 AND c.kind IN (0, 2) AND NOT EXISTS ("
        " SELECT FROM calculation k WHERE k.tenant_id = $1 AND k.channel_id = c.channel_id)"
        " ORDER BY c.channel_id" },
    [KEEP] = { "replay_difference_keep", 4,
        "INSERT INTO replay_difference (tenant_id, job_id, made_at, document) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (tenant_id, job_id) DO UPDATE SET made_at = excluded.made_at,"
        " document = excluded.document" },
    [FORGET] = { "replay_difference_forget", 2,
        "DELETE FROM replay_difference WHERE tenant_id = $1 AND made_at < $2" },
    [GET] = { "replay_difference_get", 2,
        "SELECT document FROM replay_difference WHERE tenant_id = $1 AND job_id = $2" },
};
/* clang-format on */

const struct store_statement *replay_store_statements(size_t *n)
{
    *n = STATEMENTS;
    return statements;
}

enum emt_err replay_devices(struct store *s, int32_t tenant, int64_t after, int limit,
                            struct store_result **out)
{
    struct store_param p[3];

    p_int4(&p[0], tenant);
    p_int8(&p[1], after);
    p_int8(&p[2], limit);
    return store_run(s, &statements[DEVICES], p, out);
}

enum emt_err replay_device_get(struct store *s, int32_t tenant, int64_t device,
                               struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], device);
    return store_run_row(s, &statements[DEVICE], p, out);
}

enum emt_err replay_channels(struct store *s, int32_t tenant, int64_t device,
                             struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], device);
    return store_run(s, &statements[CHANNELS], p, out);
}

enum emt_err replay_difference_keep(struct store *s, int32_t tenant, int64_t job, emt_time now,
                                    emt_time oldest, const char *document)
{
    struct store_param p[4];

    p_int4(&p[0], tenant);
    p_time(&p[1], oldest);
    enum emt_err err = store_run(s, &statements[FORGET], p, NULL);
    if (err != EMT_OK)
        return err;
    p_int8(&p[1], job);
    p_time(&p[2], now);
    p_text(&p[3], document);
    return store_run(s, &statements[KEEP], p, NULL);
}

enum emt_err replay_difference_get(struct store *s, int32_t tenant, int64_t job,
                                   struct store_result **out)
{
    struct store_param p[2];

    p_int4(&p[0], tenant);
    p_int8(&p[1], job);
    return store_run_row(s, &statements[GET], p, out);
}
