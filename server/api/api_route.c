#include "api_route.h"

#include <stdio.h>
#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define T "/api/v1/tenants/{tenant}"

const char *const api_area_names[AREAS + 1] = { "gateways", "devices", "readings", "frames",
                                                "keys",     "market",  "exports",  "jobs",
                                                "users",    "tenant",  "audit",    NULL };

/* clang-format off */
static const struct api_route routes[] = {
    { HTTP_GET,    "/healthz",                           ACCESS_PUBLIC,   0, AREA_NONE, api_health },
    { HTTP_GET,    "/api/v1/openapi.yaml",               ACCESS_PUBLIC,   0, AREA_NONE, api_openapi },
    { HTTP_GET,    "/api/v1/version",                    ACCESS_PUBLIC, 0, AREA_NONE, api_version },
    { HTTP_GET,    "/api/v1/crls/{authority}",           ACCESS_PUBLIC,   0, AREA_NONE, api_crl },
    { HTTP_GET,    "/api/v1/nodes",                      ACCESS_OPERATOR, 0, AREA_TENANT, api_node_list },
    { HTTP_GET,    "/api/v1/audit",                      ACCESS_OPERATOR, 0, AREA_AUDIT, api_platform_audit_list },
    { HTTP_GET,    "/api/v1/audit/verification",         ACCESS_OPERATOR, 0, AREA_AUDIT, api_platform_audit_verify },
    { HTTP_POST,   "/api/v1/login",                      ACCESS_PUBLIC,   0, AREA_NONE, api_login },
    { HTTP_POST,   "/api/v1/sessions",                   ACCESS_PUBLIC,   0, AREA_NONE, api_session_create },
    { HTTP_GET,    "/api/v1/session",                    ACCESS_SESSION,  0, AREA_NONE, api_session_get },
    { HTTP_DELETE, "/api/v1/session",                    ACCESS_SESSION,  0, AREA_NONE, api_session_delete },
    { HTTP_POST,   "/api/v1/session/password",           ACCESS_SESSION,  0, AREA_NONE, api_session_password },
    { HTTP_GET,    "/api/v1/users",                      ACCESS_OPERATOR, 0, AREA_USERS, api_user_list },
    { HTTP_POST,   "/api/v1/users",                      ACCESS_OPERATOR, 0, AREA_USERS, api_user_create },
    { HTTP_GET,    "/api/v1/users/{user_id}",            ACCESS_OPERATOR, 0, AREA_USERS, api_user_get },
    { HTTP_PATCH,  "/api/v1/users/{user_id}",            ACCESS_OPERATOR, 0, AREA_USERS, api_user_update },
    { HTTP_POST,   "/api/v1/users/{user_id}/one-time-password", ACCESS_OPERATOR, 0, AREA_USERS, api_user_reset },
    { HTTP_POST,   "/api/v1/enrol",                      ACCESS_PUBLIC,   0, AREA_NONE, api_enrol },
    { HTTP_GET,    "/api/v1/tenants",                    ACCESS_ANY,      0, AREA_TENANT, api_tenant_list },
    { HTTP_POST,   "/api/v1/tenants",                    ACCESS_OPERATOR, 0, AREA_TENANT, api_tenant_create },
    { HTTP_GET,    T,                                    ACCESS_TENANT, ROLES_ALL, AREA_TENANT, api_tenant_get },
    { HTTP_PATCH,  T,                                    ACCESS_TENANT, ROLES_ADMIN, AREA_TENANT, api_tenant_update },
    { HTTP_GET,    T "/entitlements",                    ACCESS_TENANT, ROLES_ALL, AREA_TENANT, api_entitlement_get },
    { HTTP_PUT,    "/api/v1/operator/tenants/{key}/entitlements", ACCESS_OPERATOR, 0, AREA_TENANT, api_entitlement_put },
    { HTTP_POST,   "/api/v1/operator/tenants/{key}/removal", ACCESS_OPERATOR, 0, AREA_TENANT, api_tenant_remove },
    { HTTP_GET,    T "/overview",                        ACCESS_TENANT, ROLES_ALL, AREA_TENANT, api_overview },
    { HTTP_GET,    T "/audit",                           ACCESS_TENANT, ROLES_ADMIN, AREA_AUDIT, api_audit_list },
    { HTTP_GET,    T "/audit/verification",              ACCESS_TENANT, ROLES_ADMIN, AREA_AUDIT, api_audit_verify },
    { HTTP_GET,    T "/jobs",                            ACCESS_TENANT, ROLES_ALL, AREA_JOBS, api_job_list },
    { HTTP_GET,    T "/jobs/{job_id}",                   ACCESS_TENANT, ROLES_ALL, AREA_JOBS, api_job_get },
    { HTTP_DELETE, T "/jobs/{job_id}",                   ACCESS_TENANT, ROLES_DATA, AREA_JOBS, api_job_cancel },
    { HTTP_GET,    T "/api-keys",                        ACCESS_TENANT, ROLES_ADMIN, AREA_USERS, api_key_list_get },
    { HTTP_POST,   T "/api-keys",                        ACCESS_TENANT, ROLES_ADMIN, AREA_USERS, api_key_create },
    { HTTP_DELETE, T "/api-keys/{key_id}",               ACCESS_TENANT, ROLES_ADMIN, AREA_USERS, api_key_delete },
    { HTTP_GET,    T "/users",                           ACCESS_TENANT_OPEN, ROLES_ADMIN, AREA_USERS, api_member_list },
    { HTTP_POST,   T "/users",                           ACCESS_TENANT_OPEN, ROLES_ADMIN, AREA_USERS, api_member_create },
    { HTTP_GET,    T "/users/{user_id}",                 ACCESS_TENANT_OPEN, ROLES_ADMIN, AREA_USERS, api_member_get },
    { HTTP_PATCH,  T "/users/{user_id}",                 ACCESS_TENANT_OPEN, ROLES_ADMIN, AREA_USERS, api_member_update },
    { HTTP_DELETE, T "/users/{user_id}",                 ACCESS_TENANT_OPEN, ROLES_ADMIN, AREA_USERS, api_member_delete },
    { HTTP_POST,   T "/users/{user_id}/one-time-password", ACCESS_TENANT_OPEN, ROLES_ADMIN, AREA_USERS, api_member_reset },
    { HTTP_GET,    T "/gateways",                        ACCESS_TENANT, ROLES_ALL, AREA_GATEWAYS, api_gateway_list },
    { HTTP_POST,   T "/gateways",                        ACCESS_TENANT, ROLES_FIELD, AREA_GATEWAYS, api_gateway_create },
    { HTTP_POST,   T "/gateways/import",                 ACCESS_TENANT, ROLES_FIELD, AREA_GATEWAYS, api_gateway_import },
    { HTTP_GET,    T "/gateways/{gateway}",              ACCESS_TENANT, ROLES_ALL, AREA_GATEWAYS, api_gateway_get },
    { HTTP_PATCH,  T "/gateways/{gateway}",              ACCESS_TENANT, ROLES_FIELD, AREA_GATEWAYS, api_gateway_update },
    { HTTP_POST,   T "/gateways/{gateway}/enrolment",    ACCESS_TENANT, ROLES_CERTIFICATE, AREA_GATEWAYS, api_enrolment_create },
    { HTTP_POST,   T "/gateways/{gateway}/revoke",       ACCESS_TENANT, ROLES_REVOKE, AREA_GATEWAYS, api_gateway_revoke },
    { HTTP_GET,    T "/gateways/{gateway}/commands",     ACCESS_TENANT, ROLES_ALL, AREA_GATEWAYS, api_command_list },
    { HTTP_POST,   T "/gateways/{gateway}/commands",     ACCESS_TENANT, ROLES_FIELD, AREA_GATEWAYS, api_command_create },
    { HTTP_GET,    T "/gateways/{gateway}/heard",        ACCESS_TENANT, ROLES_ALL, AREA_GATEWAYS, api_heard_list },
    { HTTP_POST,   T "/gateways/{gateway}/heard",        ACCESS_TENANT, ROLES_DATA, AREA_DEVICES, api_heard_decide },
    { HTTP_GET,    T "/gateways/{gateway}/allow-list",   ACCESS_TENANT, ROLES_ALL, AREA_GATEWAYS, api_allow_list_get },
    { HTTP_PUT,    T "/gateways/{gateway}/allow-list",   ACCESS_TENANT, ROLES_DATA, AREA_GATEWAYS, api_allow_list_put },
    { HTTP_GET,    T "/devices",                         ACCESS_TENANT, ROLES_ALL, AREA_DEVICES, api_device_list },
    { HTTP_POST,   T "/devices/import",                  ACCESS_TENANT, ROLES_DATA, AREA_DEVICES, api_device_import },
    { HTTP_GET,    T "/devices/{device}",                ACCESS_TENANT, ROLES_ALL, AREA_DEVICES, api_device_get },
    { HTTP_PATCH,  T "/devices/{device}",                ACCESS_TENANT, ROLES_DATA, AREA_DEVICES, api_device_update },
    { HTTP_GET,    T "/devices/{device}/channels",       ACCESS_TENANT, ROLES_ALL, AREA_DEVICES, api_channel_list },
    { HTTP_GET,    T "/channels/{channel}",              ACCESS_TENANT, ROLES_ALL, AREA_DEVICES, api_channel_get },
    { HTTP_GET,    T "/channels/{channel}/readings",     ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_reading_list },
    { HTTP_GET,    T "/channels/{channel}/trace",        ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_channel_trace },
    { HTTP_GET,    T "/channels/{channel}/history",      ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_history_list },
    { HTTP_GET,    T "/channels/{channel}/corrections",  ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_correction_list },
    { HTTP_POST,   T "/channels/{channel}/corrections",  ACCESS_TENANT, ROLES_DATA, AREA_READINGS, api_correction_create },
    { HTTP_POST,   T "/channels/{channel}/corrections/{correction_id}/withdraw", ACCESS_TENANT, ROLES_DATA, AREA_READINGS, api_correction_withdraw },
    { HTTP_GET,    T "/units",                           ACCESS_TENANT, ROLES_ALL, AREA_DEVICES, api_unit_list },
    { HTTP_POST,   T "/units",                           ACCESS_TENANT, ROLES_DATA, AREA_DEVICES, api_unit_create },
    { HTTP_DELETE, T "/units/{unit}",                    ACCESS_TENANT, ROLES_DATA, AREA_DEVICES, api_unit_delete },
    { HTTP_GET,    T "/quantities",                      ACCESS_TENANT, ROLES_ALL, AREA_DEVICES, api_quantity_list },
    { HTTP_POST,   T "/quantities",                      ACCESS_TENANT, ROLES_DATA, AREA_DEVICES, api_quantity_create },
    { HTTP_DELETE, T "/quantities/{quantity}",           ACCESS_TENANT, ROLES_DATA, AREA_DEVICES, api_quantity_delete },
    { HTTP_GET,    T "/channels/{channel}/versions",     ACCESS_TENANT, ROLES_ALL, AREA_DEVICES, api_version_list },
    { HTTP_POST,   T "/channels/{channel}/versions",     ACCESS_TENANT, ROLES_DATA, AREA_DEVICES, api_version_create },
    { HTTP_GET,    T "/devices/{device}/read-attempts",  ACCESS_TENANT, ROLES_ALL, AREA_DEVICES, api_read_attempt_list },
    { HTTP_POST,   T "/devices/{device}/read-attempts",  ACCESS_TENANT, ROLES_FIELD, AREA_DEVICES, api_read_attempt_create },
    { HTTP_GET,    T "/calculated-channels",             ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_calculated_list },
    { HTTP_POST,   T "/calculated-channels",             ACCESS_TENANT, ROLES_DATA, AREA_READINGS, api_calculated_create },
    { HTTP_GET,    T "/calculated-channels/{channel}",   ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_calculated_get },
    { HTTP_POST,   T "/calculated-channels/{channel}/versions", ACCESS_TENANT, ROLES_DATA, AREA_READINGS, api_calculated_version },
    { HTTP_GET,    T "/readings",                        ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_reading_bulk },
    { HTTP_GET,    T "/conflicts",                       ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_conflict_list },
    { HTTP_POST,   T "/conflicts/decisions",             ACCESS_TENANT, ROLES_DATA, AREA_READINGS, api_conflict_decide },
    { HTTP_GET,    T "/frames",                          ACCESS_TENANT, ROLES_ALL, AREA_FRAMES, api_frame_list },
    { HTTP_GET,    T "/frames/{gateway}/{spool}/{seq}",  ACCESS_TENANT, ROLES_ALL, AREA_FRAMES, api_frame_get },
    { HTTP_GET,    T "/events",                          ACCESS_TENANT, ROLES_ALL, AREA_TENANT, api_event_list },
    { HTTP_GET,    T "/stream",                          ACCESS_TENANT_OPEN, ROLES_ALL, AREA_NONE, api_stream_open },
    { HTTP_GET,    T "/meter-keys",                      ACCESS_TENANT, ROLES_DATA, AREA_KEYS, api_meter_key_list },
    { HTTP_POST,   T "/meter-keys",                      ACCESS_TENANT, ROLES_DATA, AREA_KEYS, api_meter_key_create },
    { HTTP_DELETE, T "/meter-keys/{key_id}",             ACCESS_TENANT, ROLES_DATA, AREA_KEYS, api_meter_key_delete },
    { HTTP_POST,   T "/replays",                         ACCESS_TENANT, ROLES_DATA, AREA_FRAMES, api_replay_create },
    { HTTP_GET,    T "/replays/{job_id}",                ACCESS_TENANT, ROLES_ALL, AREA_FRAMES, api_replay_get },
    { HTTP_GET,    T "/locations",                       ACCESS_TENANT, ROLES_ALL, AREA_MARKET, api_location_list },
    { HTTP_POST,   T "/locations",                       ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_location_create },
    { HTTP_GET,    T "/locations/export",                ACCESS_TENANT, ROLES_ALL, AREA_MARKET, api_location_export },
    { HTTP_POST,   T "/locations/import",                ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_location_import },
    { HTTP_GET,    T "/locations/{location}",            ACCESS_TENANT, ROLES_ALL, AREA_MARKET, api_location_get },
    { HTTP_PATCH,  T "/locations/{location}",            ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_location_update },
    { HTTP_DELETE, T "/locations/{location}",            ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_location_delete },
    { HTTP_GET,    T "/locations/{location}/disclosure", ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_location_disclosure },
    { HTTP_GET,    T "/locations/{location}/erasures",   ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_erasure_list },
    { HTTP_POST,   T "/locations/{location}/erasures",   ACCESS_TENANT, ROLES_ADMIN, AREA_MARKET, api_erasure_create },
    { HTTP_GET,    T "/locations/{location}/bindings",   ACCESS_TENANT, ROLES_ALL, AREA_MARKET, api_binding_list },
    { HTTP_POST,   T "/locations/{location}/bindings",   ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_binding_create },
    { HTTP_PATCH,  T "/locations/{location}/bindings/{binding_id}", ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_binding_update },
    { HTTP_DELETE, T "/locations/{location}/bindings/{binding_id}", ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_binding_delete },
    { HTTP_GET,    T "/mandates",                        ACCESS_TENANT, ROLES_ALL, AREA_MARKET, api_mandate_list },
    { HTTP_POST,   T "/mandates",                        ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_mandate_create },
    { HTTP_GET,    T "/mandates/{mandate_id}",           ACCESS_TENANT, ROLES_ALL, AREA_MARKET, api_mandate_get },
    { HTTP_PATCH,  T "/mandates/{mandate_id}",           ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_mandate_update },
    { HTTP_DELETE, T "/mandates/{mandate_id}",           ACCESS_TENANT, ROLES_DATA, AREA_MARKET, api_mandate_delete },
    { HTTP_GET,    T "/permissions",                     ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_permission_list },
    { HTTP_GET,    T "/certificates",                    ACCESS_TENANT, ROLES_ALL, AREA_GATEWAYS, api_import_list },
    { HTTP_POST,   T "/certificates",                    ACCESS_TENANT, ROLES_REVOKE, AREA_GATEWAYS, api_import_create },
    { HTTP_GET,    T "/certificates/{certificate_id}",   ACCESS_TENANT, ROLES_ALL, AREA_GATEWAYS, api_import_get },
    { HTTP_PATCH,  T "/certificates/{certificate_id}",   ACCESS_TENANT, ROLES_REVOKE, AREA_GATEWAYS, api_import_update },
    { HTTP_DELETE, T "/certificates/{certificate_id}",   ACCESS_TENANT, ROLES_REVOKE, AREA_GATEWAYS, api_import_delete },
    { HTTP_POST,   T "/certificates/{certificate_id}/crl", ACCESS_TENANT, ROLES_REVOKE, AREA_GATEWAYS, api_import_crl },
    { HTTP_GET,    T "/gateway-certificates",            ACCESS_TENANT, ROLES_ALL, AREA_GATEWAYS, api_gateway_certificate_list },
    { HTTP_GET,    T "/authorities",                     ACCESS_TENANT, ROLES_ALL, AREA_GATEWAYS, api_authority_list },
    { HTTP_POST,   T "/authorities",                     ACCESS_TENANT, ROLES_REVOKE, AREA_GATEWAYS, api_authority_create },
    { HTTP_POST,   T "/authorities/{generation}/revoke", ACCESS_TENANT, ROLES_REVOKE, AREA_GATEWAYS, api_authority_revoke },
    { HTTP_GET,    T "/emt-certificates",                ACCESS_TENANT, ROLES_ALL, AREA_TENANT, api_emt_list },
    { HTTP_POST,   T "/emt-certificates",                ACCESS_TENANT, ROLES_REVOKE, AREA_TENANT, api_emt_create },
    { HTTP_GET,    T "/emt-certificates/{triple_id}",    ACCESS_TENANT, ROLES_ALL, AREA_TENANT, api_emt_get },
    { HTTP_DELETE, T "/emt-certificates/{triple_id}",    ACCESS_TENANT, ROLES_REVOKE, AREA_TENANT, api_emt_delete },
    { HTTP_GET,    T "/exports",                         ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_export_list },
    { HTTP_POST,   T "/exports",                         ACCESS_TENANT_OPEN, ROLES_DATA, AREA_EXPORTS, api_export_create },
    { HTTP_GET,    T "/exports/{file_id}",               ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_export_get },
    { HTTP_GET,    T "/exports/{file_id}/content",       ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_export_content },
    { HTTP_POST,   T "/exports/{file_id}/deliveries",    ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_delivery_create },
    { HTTP_POST,   T "/exports/{file_id}/resend",        ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_export_resend },
    { HTTP_GET,    T "/exports/{file_id}/messages",      ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_export_message_list },
    { HTTP_GET,    T "/exports/{file_id}/messages/{nth}/values", ACCESS_TENANT, ROLES_ALL, AREA_READINGS, api_export_value_list },
    { HTTP_GET,    T "/export-policies",                ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_market_policy_list },
    { HTTP_PUT,    T "/export-policies/{use_case}",     ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_market_policy_put },
    { HTTP_DELETE, T "/export-policies/{use_case}",     ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_market_policy_delete },
    { HTTP_GET,    T "/market-partners",                ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_market_partner_list },
    { HTTP_PUT,    T "/market-partners/{partner}",      ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_market_partner_put },
    { HTTP_DELETE, T "/market-partners/{partner}",      ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_market_partner_delete },
    { HTTP_GET,    T "/acknowledgements",                ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_acknowledgement_list },
    { HTTP_POST,   T "/acknowledgements",                ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_acknowledgement_create },
    { HTTP_GET,    T "/acknowledgements/{acknowledgement_id}", ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_acknowledgement_get },
    { HTTP_GET,    T "/acknowledgements/{acknowledgement_id}/content", ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_acknowledgement_content },
    { HTTP_GET,    T "/acknowledgement-rules",           ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_acknowledgement_rule_list },
    { HTTP_PUT,    T "/acknowledgement-rules/{partner}", ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_acknowledgement_rule_put },
    { HTTP_DELETE, T "/acknowledgement-rules/{partner}", ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_acknowledgement_rule_delete },
    { HTTP_GET,    T "/deliveries",                      ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_delivery_list },
    { HTTP_GET,    T "/targets",                         ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_target_list },
    { HTTP_POST,   T "/targets",                         ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_target_create },
    { HTTP_GET,    T "/targets/{target_id}",             ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_target_get },
    { HTTP_PATCH,  T "/targets/{target_id}",             ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_target_update },
    { HTTP_DELETE, T "/targets/{target_id}",             ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_target_delete },
    { HTTP_POST,   T "/targets/{target_id}/test",        ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_target_test },
    { HTTP_GET,    T "/report-templates",                ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_report_template_list },
    { HTTP_POST,   T "/report-templates",                ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_report_template_create },
    { HTTP_GET,    T "/report-templates/{template_id}",  ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_report_template_get },
    { HTTP_PATCH,  T "/report-templates/{template_id}",  ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_report_template_update },
    { HTTP_DELETE, T "/report-templates/{template_id}",  ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_report_template_delete },
    { HTTP_GET,    T "/ready-reports",                   ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_report_ready },
    { HTTP_POST,   T "/report-preview",                  ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_report_preview },
    { HTTP_GET,    T "/schedules",                       ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_schedule_list },
    { HTTP_POST,   T "/schedules",                       ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_schedule_create },
    { HTTP_GET,    T "/schedules/{schedule_id}",         ACCESS_TENANT, ROLES_ALL, AREA_EXPORTS, api_schedule_get },
    { HTTP_PATCH,  T "/schedules/{schedule_id}",         ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_schedule_update },
    { HTTP_DELETE, T "/schedules/{schedule_id}",         ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_schedule_delete },
    { HTTP_POST,   T "/schedules/{schedule_id}/run",     ACCESS_TENANT, ROLES_DATA, AREA_EXPORTS, api_schedule_run },
};
/* clang-format on */

/* Length of the path segment at p. */
static size_t segment(const char *p)
{
    return strcspn(p, "/");
}

/* Matches one path; its parameters are copied into c->buf. */
static bool route_match(const char *pattern, const char *path, struct api_call *c)
{
    bool of_tenant = strncmp(pattern, T, strlen(T)) == 0;
    unsigned params = 0;

    while (*pattern == '/' && *path == '/') {
        size_t want = segment(++pattern);
        size_t got = segment(++path);

        if (*pattern == '{') {
            if (got == 0 || got >= sizeof c->buf[0] || params > API_PARAMS_MAX)
                return false;
            memcpy(c->buf[params], path, got);
            c->buf[params][got] = '\0';
            params++;
        } else if (want != got || memcmp(pattern, path, want) != 0) {
            return false;
        }
        pattern += want;
        path += got;
    }
    if (*pattern != '\0' || *path != '\0')
        return false;
    c->tenant_key = of_tenant ? c->buf[0] : NULL;
    for (unsigned i = of_tenant; i < params; i++)
        c->param[i - of_tenant] = c->buf[i];
    return true;
}

const struct api_route *api_route_find(enum http_method method, const char *path,
                                       struct api_call *c, bool *path_known)
{
    *path_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!route_match(routes[i].pattern, path, c))
            continue;
        if (routes[i].method == method || (method == HTTP_HEAD && routes[i].method == HTTP_GET))
            return &routes[i];
        *path_known = true;
    }
    return NULL;
}

const char *api_route_allow(const char *path, char buf[64])
{
    struct api_call scratch;
    size_t at = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!route_match(routes[i].pattern, path, &scratch))
            continue;
        int n = snprintf(buf + at, 64 - at, "%s%s%s", at > 0 ? ", " : "",
                         http_method_name(routes[i].method),
                         routes[i].method == HTTP_GET ? ", HEAD" : "");
        at += n > 0 && at + (size_t)n < 64 ? (size_t)n : 0;
    }
    return buf;
}

const struct api_route *api_route_at(size_t i)
{
    return i < sizeof routes / sizeof routes[0] ? &routes[i] : NULL;
}
