#include "delivery_job.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/writer.h"
#include "connectors/report.h"
#include "delivery/delivery.h"
#include "pki/smime.h"
#include "store/acknowledgement_store.h"
#include "store/audit_store.h"
#include "store/certificate_store.h"
#include "store/delivery_store.h"
#include "store/event_store.h"
#include "store/export_store.h"
#include "store/job_store.h"
#include "store/mandate_store.h"
#include "store/report_store.h"
#include "store/secret_store.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PATH_BYTES 2200
/* Who keeps us waiting longer than this is a case for the couriers that may wait. */
#define SLOW_MS 20000
/* Columns of export_file_get() that a delivery needs. */
enum { FILE_KIND = 1, FILE_RECEIVER = 4, FILE_NAME = 6, FILE_CONTENT = 13 };

enum secret { PASSWORD, PRIVATE_KEY, PRIVATE_KEY_PASSWORD, BEARER, CLIENT_KEY, SIGN_KEY, SECRETS };
static const char *const purposes[SECRETS] = { "password", "private-key", "private-key-password",
                                               "bearer",   "client-key",  "sign-key" };

/* What one try needs; rows are borrowed from by the target. */
struct
try {
    struct store *app;
    const struct job *job;
    const struct delivery_rules *rules;
    struct delivery_try row;
    struct store_result *target_row, *file_row;
    struct store_result *mail_row; /* a report's own recipients; NULL: the target's */
    char *secrets[SECRETS];
    char *sign_chain; /* of the market participant's certificate, where that signs */
    char *lists[3];   /* cut into lines */
    const char *addresses[3][DELIVERY_ADDRESSES_MAX + 2];
    char path[PATH_BYTES];
    struct delivery_target target;
    struct delivery_mail mail;
    struct smime_settings smime;
    bool forbidden; /* by its mandates or its party; the result's text says why */
    bool slow;      /* took long */
    struct delivery_result result;
};

static void try_release(struct try *t)
{
    for (size_t i = 0; i < SECRETS; i++) {
        if (t->secrets[i] != NULL)
            explicit_bzero(t->secrets[i], strlen(t->secrets[i]));
        free(t->secrets[i]);
    }
    free(t->sign_chain);
    for (size_t i = 0; i < 3; i++)
        free(t->lists[i]);
    store_result_free(t->target_row);
    store_result_free(t->file_row);
    store_result_free(t->mail_row);
}

enum emt_err delivery_job_order(struct store *s, int32_t tenant, int64_t delivery, int32_t in_s)
{
    char dedupe[32];
    char payload[48];

    snprintf(dedupe, sizeof dedupe, "%lld", (long long)delivery);
    snprintf(payload, sizeof payload, "{\"id\": %lld}", (long long)delivery);
    return job_store_add(s, tenant, "delivery", dedupe, payload, clock_now() + in_s * EMT_SECOND);
}

/* --- what the rows say --- */

static enum emt_err open_secret(struct try *t, const struct seal_key *key, const char *purpose,
                                const uint8_t *blob, size_t len)
{
    char row[32];
    struct seal_place place = { t->job->tenant, "delivery_target", row, purpose };
    size_t i = 0;

    while (i < SECRETS && strcmp(purposes[i], purpose) != 0)
        i++;
    if (i == SECRETS || t->secrets[i] != NULL)
        return EMT_OK;
    snprintf(row, sizeof row, "%lld", (long long)t->row.target);
    t->secrets[i] = calloc(1, len + 1);
    if (t->secrets[i] == NULL)
        return EMT_ENOMEM;
    size_t n = 0;
    return seal_unwrap(key, &place, blob, len, (uint8_t *)t->secrets[i], &n);
}

/* "emt" in the place of a certificate: the youngest of the market participant that is valid now, so
 * that a new triple signs from its first day on. None: the message is refused, not sent unsigned.
 */
static bool signs_as_emt(const struct try *t)
{
    return strcmp(c_text(t->target_row, 0, TARGET_SIGN_PEM), "emt") == 0;
}

static enum emt_err open_emt(struct try *t, const struct seal_key *key)
{
    struct writer chain, secret;
    enum emt_err err;

    writer_init_heap(&chain, 256u << 10);
    writer_init_heap(&secret, 64u << 10);
    err = emt_certificate_current(t->app, t->job->tenant, "sig", clock_now(), key, &chain, &secret);
    if (err == EMT_OK) {
        t->sign_chain = strdup(writer_cstr(&chain));
        t->secrets[SIGN_KEY] = strndup((const char *)secret.data, secret.len);
        if (t->sign_chain == NULL || t->secrets[SIGN_KEY] == NULL)
            err = EMT_ENOMEM;
    }
    if (secret.data != NULL)
        explicit_bzero(secret.data, secret.cap);
    writer_release(&secret);
    writer_release(&chain);
    return err == EMT_ENOTFOUND ? EMT_OK : err; /* said when it signs */
}

static enum emt_err open_secrets(struct try *t)
{
    bool emt = signs_as_emt(t);
    struct store_result *r = NULL;
    struct seal_key key = { 0 };
    enum emt_err err = target_secrets(t->app, t->job->tenant, t->row.target, &r);

    if (err == EMT_OK && (store_rows(r) > 0 || emt))
        err = tenant_key_load(t->app, t->job->tenant, 0, t->rules->master, &key);
    for (int i = 0; err == EMT_OK && i < store_rows(r); i++) {
        size_t n = 0;
        const uint8_t *blob = c_bytes(r, i, 1, &n);

        err = open_secret(t, &key, c_text(r, i, 0), blob, n);
    }
    if (err == EMT_OK && emt)
        err = open_emt(t, &key);
    seal_key_wipe(&key);
    store_result_free(r);
    return err;
}

static const char *text_or_null(const struct store_result *r, enum target_column column)
{
    const char *text = c_text(r, 0, (int)column);

    return text[0] != '\0' ? text : NULL;
}

/* Lines of a column as a list; what is too much is refused by delivery_check(). */
static bool cut_list(struct try *t, size_t which, enum target_column column)
{
    char *p = strdup(t->mail_row != NULL ? c_text(t->mail_row, 0, (int)which)
                                         : c_text(t->target_row, 0, (int)column));
    size_t n = 0;

    t->lists[which] = p;
    while (p != NULL && *p != '\0' && n <= DELIVERY_ADDRESSES_MAX) {
        t->addresses[which][n++] = p;
        p = strchr(p, '\n');
        if (p != NULL)
            *p++ = '\0';
    }
    return t->lists[which] != NULL;
}

static enum emt_err seal_mail(void *ctx, const uint8_t *entity, size_t n, uint8_t **out,
                              size_t *out_len, struct emt_diag *diag)
{
    const struct smime_settings *s = ctx;

    if (s->sign_pem != NULL && strcmp(s->sign_pem, "emt") == 0)
        return emt_fail(diag, EMT_ESTATE, "there is no EMT certificate (SIG) that is valid now");
    return smime_seal(s, entity, n, out, out_len, diag);
}

static bool make_mail(struct try *t)
{
    const struct store_result *r = t->target_row;

    if (!cut_list(t, 0, TARGET_MAIL_TO) || !cut_list(t, 1, TARGET_MAIL_CC) ||
        !cut_list(t, 2, TARGET_MAIL_BCC))
        return false;
    t->smime = (struct smime_settings){ .sign_pem = text_or_null(r, TARGET_SIGN_PEM),
                                        .sign_key_pem = t->secrets[SIGN_KEY],
                                        .encrypt_pem = text_or_null(r, TARGET_ENCRYPT_PEM) };
    t->mail = (struct delivery_mail){ .from = c_text(r, 0, TARGET_MAIL_FROM),
                                      .to = t->addresses[0],
                                      .cc = t->addresses[1],
                                      .bcc = t->addresses[2],
                                      .subject = c_text(r, 0, TARGET_MAIL_SUBJECT),
                                      .text = c_text(r, 0, TARGET_MAIL_TEXT) };
    if (t->sign_chain != NULL)
        t->smime.sign_pem = t->sign_chain;
    if (t->smime.sign_pem != NULL || t->smime.encrypt_pem != NULL) {
        t->mail.seal = seal_mail;
        t->mail.seal_ctx = &t->smime;
    }
    t->target.mail = &t->mail;
    return true;
}

/* A tenant's folder below the operator's; nothing leads out of it. */
static bool make_local(struct try *t)
{
    const char *path = c_text(t->target_row, 0, TARGET_PATH);
    struct emt_diag diag = { 0 };

    if (t->rules->root == NULL) {
        snprintf(t->result.text, sizeof t->result.text,
                 "this server delivers to no local folders (delivery.root)");
        return false;
    }
    snprintf(t->path, sizeof t->path, "%.1000s/%d/%.1000s", t->rules->root, t->job->tenant, path);
    if (strstr(path, "..") != NULL || file_mkdirs(t->path, 0750, &diag) != EMT_OK) {
        snprintf(t->result.text, sizeof t->result.text, "path: %.200s",
                 diag.text[0] != '\0' ? diag.text : "leads out of its folder");
        return false;
    }
    t->target.path = t->path;
    return true;
}

/* False: the result says why it cannot be tried. */
static bool make_target(struct try *t)
{
    const struct store_result *r = t->target_row;

    t->result = (struct delivery_result){ .outcome = DELIVERY_REFUSED };
    t->target = (struct delivery_target){
        .host = text_or_null(r, TARGET_HOST),
        .port = (uint16_t)c_int(r, 0, TARGET_PORT),
        .path = text_or_null(r, TARGET_PATH),
        .user = text_or_null(r, TARGET_USER),
        .password = t->secrets[PASSWORD],
        .private_key = t->secrets[PRIVATE_KEY],
        .private_key_password = t->secrets[PRIVATE_KEY_PASSWORD],
        .host_key = text_or_null(r, TARGET_HOST_KEY),
        .bearer = t->secrets[BEARER],
        .ca_pem = text_or_null(r, TARGET_CA_PEM),
        .client_pem = text_or_null(r, TARGET_CLIENT_PEM),
        .client_key_pem = t->secrets[CLIENT_KEY],
        .plain_allowed = c_bool(r, 0, TARGET_PLAIN_ALLOWED),
        .implicit_tls = c_bool(r, 0, TARGET_IMPLICIT_TLS),
        .public_only = !t->rules->private_networks,
    };
    if (!delivery_kind_parse(c_text(r, 0, TARGET_KIND), &t->target.kind)) {
        snprintf(t->result.text, sizeof t->result.text, "kind: no such way");
        return false;
    }
    if (t->target.kind == DELIVERY_LOCAL)
        return make_local(t);
    if (t->target.kind == DELIVERY_MAIL && !make_mail(t)) {
        t->result.outcome = DELIVERY_RETRY;
        snprintf(t->result.text, sizeof t->result.text, "out of memory");
        return false;
    }
    return true;
}

/* Where the operator keeps the folder is nothing of the tenant's. */
static void hide_root(struct try *t)
{
    char root[PATH_BYTES];
    size_t n;
    char *at;

    if (t->target.kind != DELIVERY_LOCAL || t->rules->root == NULL)
        return;
    snprintf(root, sizeof root, "%.1000s/%d/", t->rules->root, t->job->tenant);
    n = strlen(root);
    while ((at = strstr(t->result.text, root)) != NULL)
        memmove(at, at + n, strlen(at + n) + 1);
}

static bool repeats_double(enum delivery_kind kind)
{
    return kind == DELIVERY_HTTPS || kind == DELIVERY_MAIL;
}

/* --- the try --- */

static enum emt_err load_recipients(struct try *t)
{
    enum emt_err err = report_mail_get(t->app, t->job->tenant, t->row.file, &t->mail_row);

    return err == EMT_ENOTFOUND ? EMT_OK : err;
}

/* A report's file says by its ending what it is; everything else is a market message. */
static const char *media_type_of(const char *file_name)
{
    const char *type = report_media_type_of(file_name);

    return type != NULL ? type : "application/edifact";
}

/* What the file shows is asked for again: a mandate may have ended since it was written. */
static enum emt_err ask_mandates(struct try *t)
{
    struct store_result *gap = NULL;
    char from[32], to[32];
    const struct mandate_asker who = { c_text(t->file_row, 0, FILE_RECEIVER), NULL };
    bool report = strcmp(c_text(t->file_row, 0, FILE_KIND), "report") == 0;
    enum emt_err err = report
                           ? mandate_report_missing(t->app, t->job->tenant, t->row.file, &who, &gap)
                           : EMT_ENOTFOUND;

    if (err == EMT_ENOTFOUND)
        err = mandate_file_missing(t->app, t->job->tenant, t->row.file, NULL, &gap);
    if (err == EMT_ENOTFOUND)
        return EMT_OK;
    if (err != EMT_OK)
        return err;
    t->forbidden = true;
    snprintf(t->result.text, sizeof t->result.text,
             "no mandate for %.100s: location %.40s, %s to %s",
             c_text(t->file_row, 0, FILE_RECEIVER), c_text(gap, 0, 0),
             time_format(c_time(gap, 0, 1), from), time_format(c_time(gap, 0, 2), to));
    store_result_free(gap);
    const struct audit_entry entry = { .tenant = t->job->tenant,
                                       .actor = "delivery",
                                       .action = "mandate.refuse",
                                       .object = c_text(t->file_row, 0, FILE_NAME),
                                       .detail = t->result.text };
    return audit_append(t->app, &entry);
}

/* Asked again as well: a target may have become another party's since the delivery was ordered. */
static enum emt_err ask_party(struct try *t)
{
    const char *party = c_text(t->target_row, 0, TARGET_PARTNER);
    const char *receiver = c_text(t->file_row, 0, FILE_RECEIVER);

    if (party[0] == '\0' || strcmp(party, receiver) == 0)
        return EMT_OK;
    t->forbidden = true;
    snprintf(t->result.text, sizeof t->result.text,
             "the file is for %.100s, the target takes files of %.100s only",
             receiver[0] != '\0' ? receiver : "nobody in particular", party);
    const struct audit_entry entry = { .tenant = t->job->tenant,
                                       .actor = "delivery",
                                       .action = "delivery.refuse",
                                       .object = c_text(t->file_row, 0, FILE_NAME),
                                       .detail = t->result.text };
    return audit_append(t->app, &entry);
}

/* A slow target is not for everybody: its delivery waits on, for those who may wait. */
static enum emt_err hand_over(struct try *t, bool *handed)
{
    char dedupe[32];
    char payload[64];
    enum emt_err err =
        t->job->slow ? EMT_OK : delivery_is_slow(t->app, t->job->tenant, t->job->subject, handed);

    if (err != EMT_OK || !*handed)
        return err;
    snprintf(dedupe, sizeof dedupe, "%lld", (long long)t->job->subject);
    snprintf(payload, sizeof payload, "{\"id\": %lld, \"slow\": true}", (long long)t->job->subject);
    return job_store_add(t->app, t->job->tenant, "delivery", dedupe, payload, clock_now());
}

static enum emt_err load(struct try *t, bool *handed)
{
    const struct job *j = t->job;
    enum emt_err err = store_begin(t->app, j->tenant);

    *handed = false;
    if (err == EMT_OK)
        err = hand_over(t, handed);
    if (err == EMT_OK && *handed)
        return store_commit(t->app);
    if (err == EMT_OK)
        err = delivery_begin(t->app, j->tenant, j->subject, &t->row);
    if (err == EMT_OK)
        err = target_get(t->app, j->tenant, t->row.target, &t->target_row);
    if (err == EMT_OK)
        err = export_file_get(t->app, j->tenant, t->row.file, &t->file_row);
    if (err == EMT_OK)
        err = ask_party(t);
    if (err == EMT_OK && !t->forbidden)
        err = ask_mandates(t);
    if (err == EMT_OK)
        err = load_recipients(t);
    if (err == EMT_OK)
        err = open_secrets(t);
    if (err == EMT_OK)
        return store_commit(t->app);
    store_rollback(t->app);
    return err;
}

static void send_bytes(struct try *t, const char *name, const char *media_type, const void *p,
                       size_t n, bool (*alive)(void *ctx), void *ctx)
{
    struct delivery_bytes bytes = { .data = p, .len = n };
    struct delivery_file file = delivery_file_of(&bytes);

    if (t->forbidden) {
        t->result.outcome = DELIVERY_REFUSED;
        return;
    }
    if (!make_target(t))
        return;
    /* A try that never said how it ended may have brought the file. */
    if (t->row.interrupted && repeats_double(t->target.kind)) {
        t->result.outcome = DELIVERY_UNKNOWN;
        snprintf(t->result.text, sizeof t->result.text,
                 "the try before was interrupted: ask the partner whether the file came");
        return;
    }
    file.name = name;
    file.media_type = media_type;
    file.may_be_there = t->row.tries > 1;
    file.alive = alive;
    file.alive_ctx = ctx;
    int64_t began_ms = clock_mono_ms();

    delivery_send(&t->target, &file, &t->result);
    t->slow = clock_mono_ms() - began_ms > SLOW_MS;
    hide_root(t);
}

/* --- what follows --- */

static enum emt_err alarm(struct try *t, const char *kind)
{
    char detail[600];
    struct event_row e = {
        .at = clock_now(), .severity = EVENT_ALARM, .kind = kind, .detail = detail
    };

    snprintf(detail, sizeof detail, "%.200s to %.100s: %.250s", c_text(t->file_row, 0, FILE_NAME),
             c_text(t->target_row, 0, TARGET_NAME), t->result.text);
    return event_store_add(t->app, t->job->tenant, &e);
}

static enum emt_err use_second(struct try *t)
{
    struct delivery_order order = { .file = t->row.file,
                                    .target = t->row.second_target,
                                    .retries = t->row.retries,
                                    .retry_s = t->row.retry_s,
                                    .created_by = "second target" };
    int64_t id = 0;
    enum emt_err err = delivery_add(t->app, t->job->tenant, &order, &id);

    if (err == EMT_ESTATE) /* another party's: the alarm of the first one stands */
        return EMT_OK;
    return err == EMT_OK ? delivery_job_order(t->app, t->job->tenant, id, 0) : err;
}

static enum delivery_state state_of(const struct try *t)
{
    switch (t->result.outcome) {
    case DELIVERY_DONE:
    case DELIVERY_THERE:
        return DELIVERY_STATE_DELIVERED;
    case DELIVERY_RETRY:
        return t->row.tries <= t->row.retries ? DELIVERY_STATE_WAITING : DELIVERY_STATE_FAILED;
    case DELIVERY_REFUSED:
        return DELIVERY_STATE_FAILED;
    case DELIVERY_UNKNOWN:
        return DELIVERY_STATE_UNKNOWN;
    }
    return DELIVERY_STATE_FAILED;
}

static enum emt_err keep(struct try *t)
{
    const struct job *j = t->job;
    enum delivery_state state = state_of(t);
    enum emt_err err = store_begin(t->app, j->tenant);

    if (err == EMT_OK)
        err = delivery_end(t->app, j->tenant, j->subject, state,
                           delivery_outcome_name(t->result.outcome), t->result.text);
    if (err == EMT_OK)
        err = target_slow_set(t->app, j->tenant, t->row.target, t->slow);
    if (err == EMT_OK && state == DELIVERY_STATE_DELIVERED)
        err = sent_file_delivered(t->app, j->tenant, t->row.file, clock_now());
    if (err == EMT_OK && state == DELIVERY_STATE_WAITING)
        err = delivery_job_order(t->app, j->tenant, j->subject, t->row.retry_s);
    if (err == EMT_OK && state == DELIVERY_STATE_FAILED && t->row.second_target != 0)
        err = use_second(t);
    if (err == EMT_OK && state == DELIVERY_STATE_FAILED)
        err = alarm(t, "delivery-failed");
    if (err == EMT_OK && state == DELIVERY_STATE_UNKNOWN)
        err = alarm(t, "delivery-unknown");
    if (err == EMT_OK)
        return store_commit(t->app);
    store_rollback(t->app);
    return err;
}

enum emt_err delivery_job_run(struct store *app, const struct job *job,
                              const struct delivery_rules *rules, bool (*alive)(void *ctx),
                              void *ctx, char *text, size_t size)
{
    struct try *t = calloc(1, sizeof *t);

    if (t == NULL)
        return EMT_ENOMEM;
    *t = (struct try){ .app = app, .job = job, .rules = rules };
    bool handed = false;
    enum emt_err err = load(t, &handed);
    if (err == EMT_OK && handed) {
        (void)snprintf(text, size, "handed to the couriers for slow targets");
    } else if (err == EMT_OK) {
        size_t n = 0;
        const void *content = c_bytes(t->file_row, 0, FILE_CONTENT, &n);

        const char *name = c_text(t->file_row, 0, FILE_NAME);

        send_bytes(t, name, media_type_of(name), content, n, alive, ctx);
        (void)snprintf(text, size, "%s: %s", delivery_outcome_name(t->result.outcome),
                       t->result.text);
        err = keep(t);
    } else if (err == EMT_ENOTFOUND) {
        (void)snprintf(text, size, "nothing to do any more");
        err = EMT_OK;
    } else {
        (void)snprintf(text, size, "%s", store_error(app));
    }
    try_release(t);
    free(t);
    return err;
}

/* --- trying a target out --- */

static enum emt_err load_target(struct try *t)
{
    enum emt_err err = store_begin(t->app, t->job->tenant);

    t->row.target = t->job->subject;
    if (err == EMT_OK)
        err = target_get(t->app, t->job->tenant, t->row.target, &t->target_row);
    if (err == EMT_OK)
        err = open_secrets(t);
    store_rollback(t->app);
    return err;
}

static void send_sample(struct try *t, bool (*alive)(void *ctx), void *ctx)
{
    char name[64];
    char text[256];

    snprintf(name, sizeof name, "EMT_TEST_%lld.txt", (long long)t->job->id);
    int n = snprintf(text, sizeof text, "A test of the delivery target \"%.100s\". No values.\r\n",
                     c_text(t->target_row, 0, TARGET_NAME));
    send_bytes(t, name, "text/plain", text, n > 0 ? (size_t)n : 0, alive, ctx);
}

enum emt_err delivery_job_test(struct store *app, const struct job *job,
                               const struct delivery_rules *rules, bool (*alive)(void *ctx),
                               void *ctx, struct writer *result)
{
    struct try *t = calloc(1, sizeof *t);

    if (t == NULL)
        return EMT_ENOMEM;
    *t = (struct try){ .app = app, .job = job, .rules = rules };
    enum emt_err err = load_target(t);
    if (err == EMT_OK) {
        send_sample(t, alive, ctx);
        writer_text(result, "{\"outcome\": ");
        json_put_cstr(result, delivery_outcome_name(t->result.outcome));
        writer_text(result, ", \"detail\": ");
        json_put_cstr(result, t->result.text);
        writer_text(result, "}");
    }
    try_release(t);
    free(t);
    return err;
}
