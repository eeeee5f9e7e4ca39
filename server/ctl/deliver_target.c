#include "deliver_target.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define SECRET_LIMIT (1u << 20)

/* The content of the file that key names, without a closing line end; absent: *out stays. */
static enum emt_err read_secret(struct deliver_target *t, const struct yaml_node *map,
                                const char *key, const char **out, struct emt_diag *diag)
{
    const char *path = NULL;
    char *text = NULL;
    size_t n = 0;
    enum emt_err err = yaml_text(t->yaml, map, key, &path, diag);

    if (err != EMT_OK || path == NULL)
        return err;
    err = file_read(path, SECRET_LIMIT, &text, &n, diag);
    if (err != EMT_OK)
        return yaml_refuse(t->yaml, yaml_get(t->yaml, map, key), diag, "this file cannot be read");
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        text[--n] = '\0';
    t->secrets[t->n_secrets++] = text;
    *out = text;
    return EMT_OK;
}

static enum emt_err read_seconds(const struct yaml *y, const char *key, unsigned *out,
                                 struct emt_diag *diag)
{
    int64_t ms = 0;
    enum emt_err err = yaml_duration_ms(y, yaml_root(y), key, 1000, 86400000, &ms, diag);

    if (err == EMT_OK && ms != 0)
        *out = (unsigned)(ms / 1000);
    return err;
}

static enum emt_err read_kind(struct deliver_target *t, struct emt_diag *diag)
{
    const struct yaml_node *root = yaml_root(t->yaml);
    const char *kind = NULL;
    enum emt_err err = yaml_text(t->yaml, root, "kind", &kind, diag);

    if (err != EMT_OK)
        return err;
    if (kind == NULL || !delivery_kind_parse(kind, &t->target.kind))
        return yaml_refuse(t->yaml, kind != NULL ? yaml_get(t->yaml, root, "kind") : root, diag,
                           "kind must be local, sftp, ftp, ftps, ftps-implicit, https or mail");
    return EMT_OK;
}

static enum emt_err read_texts(struct deliver_target *t, struct emt_diag *diag)
{
    struct delivery_target *d = &t->target;
    const struct {
        const char *key;
        const char **out;
    } texts[] = { { "host", &d->host },
                  { "path", &d->path },
                  { "user", &d->user },
                  { "host_key", &d->host_key } };
    const struct {
        const char *key;
        const char **out;
    } secrets[] = { { "password_file", &d->password },
                    { "private_key_file", &d->private_key },
                    { "private_key_password_file", &d->private_key_password },
                    { "bearer_file", &d->bearer },
                    { "ca_file", &d->ca_pem },
                    { "client_cert_file", &d->client_pem },
                    { "client_key_file", &d->client_key_pem } };
    const struct yaml_node *root = yaml_root(t->yaml);
    enum emt_err err = EMT_OK;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && err == EMT_OK; i++)
        err = yaml_text(t->yaml, root, texts[i].key, texts[i].out, diag);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0] && err == EMT_OK; i++)
        err = read_secret(t, root, secrets[i].key, secrets[i].out, diag);
    return err;
}

static enum emt_err read_numbers(struct deliver_target *t, struct emt_diag *diag)
{
    struct delivery_target *d = &t->target;
    const struct yaml *y = t->yaml;
    int64_t port = 0;
    enum emt_err err = yaml_int(y, yaml_root(y), "port", 1, 65535, &port, diag);

    d->port = (uint16_t)port;
    if (err == EMT_OK)
        err = yaml_bool(y, yaml_root(y), "plain_allowed", &d->plain_allowed, diag);
    if (err == EMT_OK)
        err = yaml_bool(y, yaml_root(y), "implicit_tls", &d->implicit_tls, diag);
    if (err == EMT_OK)
        err = read_seconds(y, "connect", &d->connect_s, diag);
    if (err == EMT_OK)
        err = read_seconds(y, "stalled", &d->stalled_s, diag);
    return err == EMT_OK ? read_seconds(y, "transfer", &d->transfer_s, diag) : err;
}

static enum emt_err read_list(struct deliver_target *t, const struct yaml_node *map,
                              const char *key, const char *out[DELIVERY_ADDRESSES_MAX + 1],
                              struct emt_diag *diag)
{
    const struct yaml_node *seq = yaml_get(t->yaml, map, key);
    size_t n = yaml_count(seq);

    if (seq != NULL && n == 0)
        return yaml_refuse(t->yaml, seq, diag, "must be a list of mail addresses");
    if (n > DELIVERY_ADDRESSES_MAX)
        return yaml_refuse(t->yaml, seq, diag, "more than 50 addresses");
    for (size_t i = 0; i < n; i++) {
        out[i] = yaml_scalar(yaml_at(seq, i));
        if (out[i] == NULL)
            return yaml_refuse(t->yaml, seq, diag, "must be a list of mail addresses");
    }
    return EMT_OK;
}

static enum emt_err seal(void *ctx, const uint8_t *entity, size_t n, uint8_t **out, size_t *out_len,
                         struct emt_diag *diag)
{
    return smime_seal(ctx, entity, n, out, out_len, diag);
}

static enum emt_err read_mail(struct deliver_target *t, struct emt_diag *diag)
{
    const struct yaml_node *map = yaml_get(t->yaml, yaml_root(t->yaml), "mail");
    struct delivery_mail *m = &t->mail;
    enum emt_err err;

    if (map == NULL)
        return EMT_OK;
    t->target.mail = m;
    *m = (struct delivery_mail){
        .to = t->lists[0], .cc = t->lists[1], .bcc = t->lists[2], .subject = "", .text = ""
    };
    err = yaml_text(t->yaml, map, "from", &m->from, diag);
    if (err == EMT_OK)
        err = yaml_text(t->yaml, map, "subject", &m->subject, diag);
    if (err == EMT_OK)
        err = yaml_text(t->yaml, map, "text", &m->text, diag);
    if (err == EMT_OK)
        err = read_list(t, map, "to", t->lists[0], diag);
    if (err == EMT_OK)
        err = read_list(t, map, "cc", t->lists[1], diag);
    if (err == EMT_OK)
        err = read_list(t, map, "bcc", t->lists[2], diag);
    if (err == EMT_OK)
        err = read_secret(t, map, "sign_cert_file", &t->smime.sign_pem, diag);
    if (err == EMT_OK)
        err = read_secret(t, map, "sign_key_file", &t->smime.sign_key_pem, diag);
    if (err == EMT_OK)
        err = read_secret(t, map, "encrypt_cert_file", &t->smime.encrypt_pem, diag);
    if (t->smime.sign_pem != NULL || t->smime.encrypt_pem != NULL) {
        m->seal = seal;
        m->seal_ctx = &t->smime;
    }
    return err;
}

enum emt_err deliver_target_load(const char *path, struct deliver_target *out,
                                 struct emt_diag *diag)
{
    *out = (struct deliver_target){ .n_secrets = 0 };
    enum emt_err err = yaml_load_file(path, &out->yaml, diag);

    if (err == EMT_OK)
        err = read_kind(out, diag);
    if (err == EMT_OK)
        err = read_texts(out, diag);
    if (err == EMT_OK)
        err = read_numbers(out, diag);
    if (err == EMT_OK)
        err = read_mail(out, diag);
    return err == EMT_OK ? yaml_unknown(out->yaml, diag) : err;
}

void deliver_target_release(struct deliver_target *t)
{
    for (size_t i = 0; i < t->n_secrets; i++) {
        explicit_bzero(t->secrets[i], strlen(t->secrets[i]));
        free(t->secrets[i]);
    }
    if (t->yaml != NULL)
        yaml_free(t->yaml);
}
