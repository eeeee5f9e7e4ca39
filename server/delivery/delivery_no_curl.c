/* A build without libcurl: delivery_check() lets no target beyond this machine pass. */
#include "delivery/fetch.h"
#include "delivery_internal.h"

bool delivery_has_network(void)
{
    return false;
}

static void refuse(struct delivery_result *out)
{
    delivery_say(out, DELIVERY_REFUSED, "this program was built without libcurl");
}

void delivery_folder(const struct delivery_target *t, const struct delivery_file *file,
                     struct delivery_result *out)
{
    (void)t;
    (void)file;
    refuse(out);
}

void delivery_https(const struct delivery_target *t, const struct delivery_file *file,
                    struct delivery_result *out)
{
    (void)t;
    (void)file;
    refuse(out);
}

void delivery_by_mail(const struct delivery_target *t, const struct delivery_file *file,
                      struct delivery_result *out)
{
    (void)t;
    (void)file;
    refuse(out);
}

enum emt_err fetch_check(const char *url, struct emt_diag *diag)
{
    (void)url;
    return emt_fail(diag, EMT_EUNSUPPORTED, "this program was built without libcurl");
}

enum emt_err fetch_url(const struct fetch_settings *s, struct writer *out, struct emt_diag *diag)
{
    (void)out;
    return fetch_check(s->url, diag);
}
