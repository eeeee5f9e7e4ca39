/* HTTPS POST: the file is the body, its name stands in Content-Disposition; the same name as
 * Idempotency-Key lets a partner who knows it tell a repetition. 2xx is a delivery. */
#include "delivery_curl.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static bool add(struct curl_slist **list, const char *line)
{
    struct curl_slist *more = curl_slist_append(*list, line);

    if (more != NULL)
        *list = more;
    return more != NULL;
}

static struct curl_slist *headers_of(const struct delivery_file *file)
{
    struct curl_slist *list = NULL;
    char line[DELIVERY_NAME_MAX + 64];

    snprintf(line, sizeof line, "Content-Type: %.100s",
             file->media_type != NULL ? file->media_type : "application/octet-stream");
    bool good = add(&list, line);
    snprintf(line, sizeof line, "Content-Disposition: attachment; filename=\"%s\"", file->name);
    good = good && add(&list, line);
    snprintf(line, sizeof line, "Idempotency-Key: %s", file->name);
    if (good && add(&list, line))
        return list;
    curl_slist_free_all(list);
    return NULL;
}

static void judge(struct transfer *x, struct delivery_result *out)
{
    const char *host = x->target->host;
    unsigned a = out->answer;

    if (a >= 200 && a < 300)
        delivery_say(out, DELIVERY_DONE, "%.100s answered %u", host, a);
    else if (a == 408 || a == 425 || a == 429 || a >= 500)
        delivery_say(out, DELIVERY_RETRY, "%.100s answered %u: %.150s", host, a, x->answer);
    else
        delivery_say(out, DELIVERY_REFUSED, "%.100s answered %u: %.150s", host, a, x->answer);
}

void delivery_https(const struct delivery_target *t, const struct delivery_file *file,
                    struct delivery_result *out)
{
    struct curl_slist *headers = headers_of(file);
    struct transfer x = { .key_fd = -1 };

    if (headers == NULL) {
        delivery_say(out, DELIVERY_RETRY, "out of memory");
        return;
    }
    if (transfer_begin(&x, t, file, out, "https", t->path)) {
        transfer_upload(&x);
        curl_easy_setopt(x.curl, CURLOPT_POST, 1L);
        curl_easy_setopt(x.curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)file->size);
        curl_easy_setopt(x.curl, CURLOPT_HTTPHEADER, headers);
        if (transfer_run(&x, true) == CURLE_OK)
            judge(&x, out);
    }
    transfer_end(&x);
    curl_slist_free_all(headers);
}
