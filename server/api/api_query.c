#include "api_query.h"

#include "api_route.h"
#include "api_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define PAGE "limit cursor"
#define SPAN "from to"

/* Operations that are not here know none. */
static const struct {
    enum emt_err (*handle)(struct api_call *c);
    const char *names;
} known[] = {
    { api_tenant_list, PAGE },
    { api_key_list_get, PAGE },
    { api_platform_audit_list, PAGE " " SPAN " actor action" },
    { api_audit_list, PAGE " " SPAN " actor action" },
    { api_job_list, PAGE " kind state" },
    { api_user_list, PAGE },
    { api_member_list, PAGE },
    { api_stream_open, "topics" },
    { api_gateway_list, PAGE " q state connection" },
    { api_command_list, PAGE },
    { api_heard_list, PAGE " assignment" },
    { api_device_list, PAGE " q medium active assignment number gateway" },
    { api_channel_list, PAGE },
    { api_reading_list, PAGE " " SPAN " aggregate" },
    { api_reading_bulk, PAGE " " SPAN },
    { api_reading_bulk, PAGE " " SPAN },
    { api_conflict_list, PAGE },
    { api_calculated_list, PAGE },
    { api_history_list, PAGE " " SPAN },
    { api_correction_list, PAGE " " SPAN },
    { api_frame_list, PAGE " " SPAN " device gateway state" },
    { api_event_list, PAGE " " SPAN " severity kind" },
    { api_meter_key_list, PAGE },
    { api_location_list, PAGE " q kind" },
    { api_location_export, PAGE },
    { api_erasure_list, PAGE },
    { api_read_attempt_list, PAGE },
    { api_mandate_list, PAGE " location" },
    { api_permission_list, PAGE " recipient purpose" },
    { api_export_list, PAGE " " SPAN " state kind pid receiver created_from created_to" },
    { api_market_partner_list, PAGE },
    { api_import_list, PAGE },
    { api_gateway_certificate_list, PAGE " gateway state ends_within" },
    { api_target_list, PAGE },
    { api_schedule_list, PAGE },
    { api_report_template_list, PAGE },
    { api_delivery_list, PAGE " file state" },
    { api_export_message_list, PAGE },
    { api_export_value_list, PAGE " channel" },
    { api_acknowledgement_list, PAGE " file unmatched" },
    { api_channel_trace, "at" },
};

const char *api_query_names(const struct api_route *route)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].handle == route->handle)
            return known[i].names;
    }
    return "";
}

static bool is_listed(const char *names, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = names; *p != '\0'; p += strcspn(p, " ")) {
        p += *p == ' ';
        if (strcspn(p, " ") == n && strncmp(p, name, n) == 0)
            return true;
    }
    return false;
}

bool api_query_known(struct api_call *c, const struct api_route *route)
{
    const char *names = api_query_names(route);
    const char *value = NULL;
    const char *name;

    for (unsigned i = 0; (name = http_request_query_at(c->req, i, &value)) != NULL; i++) {
        if (is_listed(names, name))
            continue;
        char shown[64];

        snprintf(shown, sizeof shown, "%.60s", name);
        text_clean(shown);
        if (*names == '\0')
            api_problem(c, 400, "invalid", shown, "query: %s is not known; there are none", shown);
        else
            api_problem(c, 400, "invalid", shown, "query: %s is not known; known are: %s", shown,
                        names);
        return false;
    }
    return true;
}

bool api_query_text(struct api_call *c, const char *name, size_t most, const char **out)
{
    const char *text = http_request_query(c->req, name);

    if (text == NULL)
        return true;
    size_t n = text_length(text);
    if (n < 1 || n > most) {
        api_problem(c, 400, "invalid", name, "%s: must have 1 to %zu characters", name, most);
        return false;
    }
    *out = text;
    return true;
}

bool api_query_enum(struct api_call *c, const char *name, const char *const *names, int *out)
{
    const char *text = http_request_query(c->req, name);
    char list[256] = "";
    size_t at = 0;

    if (text == NULL)
        return true;
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return true;
        }
        int n = snprintf(list + at, sizeof list - at, "%s%s", i ? ", " : "", names[i]);
        at += n > 0 && at + (size_t)n < sizeof list ? (size_t)n : 0;
    }
    api_problem(c, 400, "invalid", name, "%s: must be one of %s", name, list);
    return false;
}

bool api_query_number(struct api_call *c, const char *name, int64_t *out)
{
    const char *text = NULL;
    char *end = NULL;

    if (!api_query_text(c, name, 18, &text))
        return false;
    if (text == NULL)
        return true;
    *out = strtoll(text, &end, 10);
    if (*end == '\0' && *out > 0)
        return true;
    api_problem(c, 400, "invalid", name, "%s: must be a number from 1", name);
    return false;
}

bool api_query_flag(struct api_call *c, const char *name, int *out)
{
    static const char *const names[] = { "false", "true", NULL };

    return api_query_enum(c, name, names, out);
}
