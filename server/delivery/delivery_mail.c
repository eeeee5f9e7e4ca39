/* SMTP: one message with the file as attachment; signed and encrypted where the target says how.
 * STARTTLS is asked for unless plain was allowed; port 465 speaks TLS from the first byte. */
#include "base/cipher.h"
#include "base/clock.h"
#include "base/hex.h"
#include "delivery_curl.h"
#include "mail_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Base64 and headers make a file a third larger. */
#define MESSAGE_LIMIT (2 * (size_t)DELIVERY_MAIL_LIMIT)

static bool read_whole(const struct delivery_file *file, uint8_t **out)
{
    uint8_t *p = malloc((size_t)file->size + 1);
    size_t len = 0;

    while (p != NULL && len <= file->size) {
        size_t got = 0;

        if (file->read(file->ctx, p + len, (size_t)file->size + 1 - len, &got) != EMT_OK)
            break;
        if (got == 0 && len == file->size) {
            *out = p;
            return true;
        }
        if (got == 0)
            break;
        len += got;
    }
    free(p);
    return false;
}

static bool random_hex(char out[33])
{
    uint8_t bytes[16];

    if (cipher_random(bytes, sizeof bytes) != EMT_OK)
        return false;
    hex_encode(bytes, sizeof bytes, out);
    return true;
}

/* The entity as it goes into the message, sealed where the mail says so. */
static enum emt_err make_entity(const struct delivery_mail *m, const struct mail_attachment *a,
                                struct writer *out, struct emt_diag *diag)
{
    struct writer plain;
    char boundary[33];
    uint8_t *sealed = NULL;
    size_t sealed_len = 0;
    enum emt_err err = EMT_OK;

    if (!random_hex(boundary))
        return emt_fail(diag, EMT_EINTERNAL, "no random number");
    writer_init_heap(&plain, MESSAGE_LIMIT);
    mail_entity(&plain, m->text != NULL ? m->text : "", a, boundary);
    if (plain.failed) {
        err = emt_fail(diag, EMT_ELIMIT, "the message is too long");
    } else if (m->seal != NULL) {
        err = m->seal(m->seal_ctx, plain.data, plain.len, &sealed, &sealed_len, diag);
    } else {
        writer_text(out, "MIME-Version: 1.0\r\n");
        writer_bytes(out, plain.data, plain.len);
    }
    if (err == EMT_OK && sealed != NULL)
        writer_bytes(out, sealed, sealed_len);
    free(sealed);
    writer_release(&plain);
    return err;
}

static enum emt_err make_message(const struct delivery_target *t, const struct delivery_file *file,
                                 struct writer *out, struct emt_diag *diag)
{
    const struct delivery_mail *m = t->mail;
    const char *domain = strchr(m->from, '@') + 1;
    struct mail_attachment a = { .name = file->name,
                                 .media_type = file->media_type != NULL
                                                   ? file->media_type
                                                   : "application/octet-stream",
                                 .len = (size_t)file->size };
    uint8_t *data = NULL;
    char number[33];
    char id[320];

    if (file->size > DELIVERY_MAIL_LIMIT)
        return emt_fail(diag, EMT_ELIMIT, "files above %u MiB do not go by mail",
                        DELIVERY_MAIL_LIMIT >> 20);
    if (!random_hex(number))
        return emt_fail(diag, EMT_EINTERNAL, "no random number");
    if (!read_whole(file, &data))
        return emt_fail(diag, EMT_EIO, "the file cannot be read");
    a.data = data;
    snprintf(id, sizeof id, "%s@%s", number, domain);
    mail_headers(out, m, clock_now(), id);
    enum emt_err err = make_entity(m, &a, out, diag);
    free(data);
    if (err == EMT_OK && out->failed)
        err = emt_fail(diag, EMT_ELIMIT, "the message is too long");
    return err;
}

static struct curl_slist *recipients_of(const struct delivery_mail *m, bool *good)
{
    const char *const *const lists[] = { m->to, m->cc, m->bcc };
    struct curl_slist *all = NULL;

    *good = true;
    for (size_t i = 0; i < 3; i++) {
        for (const char *const *p = lists[i]; p != NULL && *p != NULL; p++) {
            struct curl_slist *more = curl_slist_append(all, *p);

            *good = *good && more != NULL;
            all = more != NULL ? more : all;
        }
    }
    return all;
}

static void hand_over(struct transfer *x, const struct delivery_mail *m,
                      struct delivery_result *out)
{
    bool good;
    struct curl_slist *to = recipients_of(m, &good);

    transfer_upload(x);
    curl_easy_setopt(x->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(x->curl, CURLOPT_MAIL_FROM, m->from);
    curl_easy_setopt(x->curl, CURLOPT_MAIL_RCPT, to);
    if (!x->target->plain_allowed || x->target->implicit_tls)
        curl_easy_setopt(x->curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    else
        curl_easy_setopt(x->curl, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
    if (!good)
        delivery_say(out, DELIVERY_RETRY, "out of memory");
    else if (transfer_run(x, true) == CURLE_OK)
        delivery_say(out, DELIVERY_DONE, "%.100s took the mail", x->target->host);
    curl_slist_free_all(to);
}

void delivery_by_mail(const struct delivery_target *t, const struct delivery_file *file,
                      struct delivery_result *out)
{
    struct emt_diag diag = { 0 };
    struct writer message;
    struct transfer x = { .key_fd = -1 };

    writer_init_heap(&message, MESSAGE_LIMIT);
    enum emt_err err = make_message(t, file, &message, &diag);
    if (err == EMT_OK) {
        struct delivery_bytes bytes = { .data = message.data, .len = message.len };
        struct delivery_file whole = delivery_file_of(&bytes);

        whole.name = file->name;
        whole.alive = file->alive;
        whole.alive_ctx = file->alive_ctx;
        if (transfer_begin(&x, t, &whole, out, t->implicit_tls ? "smtps" : "smtp", "/"))
            hand_over(&x, t->mail, out);
        transfer_end(&x);
    } else {
        delivery_say(out,
                     emt_err_class(err) == EMT_CLASS_BROKEN ? DELIVERY_RETRY : DELIVERY_REFUSED,
                     "%s", diag.text);
    }
    writer_release(&message);
}
