/* The one list of routes; tests hold it against schema/api/openapi.yaml. */
#ifndef EMT_API_API_ROUTE_H
#define EMT_API_API_ROUTE_H

#include "api_call.h"

enum api_access {
    ACCESS_PUBLIC,   /* no key */
    ACCESS_ANY,      /* any valid key or session */
    ACCESS_SESSION,  /* users' portal sessions, no keys */
    ACCESS_OPERATOR, /* operators of the platform */
    ACCESS_TENANT, /* below /api/v1/tenants/{tenant}, inside a transaction of the tenant; roles say
                      who */
    ACCESS_TENANT_OPEN, /* as TENANT, but the handler makes its own transactions */
};

/* What a route is about, for the scopes of API keys. Stored as bits (migration 0002): new ones at
 * the end. */
enum api_area {
    AREA_GATEWAYS = 0,
    AREA_DEVICES = 1,
    AREA_READINGS = 2,
    AREA_FRAMES = 3,
    AREA_KEYS = 4,
    AREA_MARKET = 5,
    AREA_EXPORTS = 6,
    AREA_JOBS = 7,
    AREA_USERS = 8,
    AREA_TENANT = 9,
    AREA_AUDIT = 10,
    AREAS = 11,
    AREA_NONE = 12, /* needs no scope: for everybody, or for sessions only */
};
extern const char *const api_area_names[AREAS + 1];
#define SCOPE_BIT(area, write) (1u << (2u * (unsigned)(area) + ((write) ? 1u : 0u)))

#define ROLE_BIT(r) (1u << (r))
#define ROLES_ALL ((1u << ROLES) - 1)
#define ROLES_DATA (ROLE_BIT(ROLE_DATA_MANAGER) | ROLE_BIT(ROLE_TENANT_ADMIN))
#define ROLES_FIELD                                                                                \
    (ROLE_BIT(ROLE_FIELD_TECHNICIAN) | ROLE_BIT(ROLE_DATA_MANAGER) | ROLE_BIT(ROLE_TENANT_ADMIN))
#define ROLES_CERTIFICATE                                                                          \
    (ROLE_BIT(ROLE_FIELD_TECHNICIAN) | ROLE_BIT(ROLE_CERTIFICATE_MANAGER) |                        \
     ROLE_BIT(ROLE_TENANT_ADMIN))
#define ROLES_REVOKE (ROLE_BIT(ROLE_CERTIFICATE_MANAGER) | ROLE_BIT(ROLE_TENANT_ADMIN))
#define ROLES_ADMIN ROLE_BIT(ROLE_TENANT_ADMIN)

struct api_route {
    enum http_method method;
    const char *pattern; /* as in the document: "/api/v1/tenants/{tenant}/gateways" */
    enum api_access access;
    unsigned roles; /* TENANT: bits of ROLE_BIT() */
    enum api_area area;
    enum emt_err (*handle)(struct api_call *c);
};

/* The route of a request, its parameters in c; NULL: none (*path_known tells 405 from 404). */
const struct api_route *api_route_find(enum http_method method, const char *path,
                                       struct api_call *c, bool *path_known);
/* The methods of a path for the Allow header, "GET, HEAD, POST". Returns buf. */
const char *api_route_allow(const char *path, char buf[64]);
/* Enumerates: NULL past the end. */
const struct api_route *api_route_at(size_t i);

/* Handlers, by file. */
enum emt_err api_health(struct api_call *c); /* api_platform.c */
enum emt_err api_openapi(struct api_call *c);
enum emt_err api_version(struct api_call *c); /* api_overview.c */
enum emt_err api_node_list(struct api_call *c);
enum emt_err api_overview(struct api_call *c);
enum emt_err api_audit_list(struct api_call *c); /* api_audit.c */
enum emt_err api_audit_verify(struct api_call *c);
enum emt_err api_platform_audit_list(struct api_call *c);
enum emt_err api_platform_audit_verify(struct api_call *c);
enum emt_err api_job_list(struct api_call *c); /* api_job.c */
enum emt_err api_job_get(struct api_call *c);
enum emt_err api_job_cancel(struct api_call *c);
enum emt_err api_gateway_import(struct api_call *c); /* api_import.c */
enum emt_err api_device_import(struct api_call *c);
enum emt_err api_location_export(struct api_call *c); /* api_location_import.c */
enum emt_err api_location_import(struct api_call *c);
enum emt_err api_login(struct api_call *c);
enum emt_err api_session_create(struct api_call *c); /* api_session.c */
enum emt_err api_session_get(struct api_call *c);
enum emt_err api_session_delete(struct api_call *c);
enum emt_err api_session_password(struct api_call *c);
enum emt_err api_user_list(struct api_call *c); /* api_user.c */
enum emt_err api_user_create(struct api_call *c);
enum emt_err api_user_get(struct api_call *c);
enum emt_err api_user_update(struct api_call *c);
enum emt_err api_user_reset(struct api_call *c);
enum emt_err api_member_list(struct api_call *c); /* api_member.c */
enum emt_err api_member_create(struct api_call *c);
enum emt_err api_member_get(struct api_call *c);
enum emt_err api_member_update(struct api_call *c);
enum emt_err api_member_delete(struct api_call *c);
enum emt_err api_member_reset(struct api_call *c);
enum emt_err api_crl(struct api_call *c);         /* api_authority.c */
enum emt_err api_import_list(struct api_call *c); /* api_certificate.c */
enum emt_err api_import_create(struct api_call *c);
enum emt_err api_import_get(struct api_call *c);
enum emt_err api_import_update(struct api_call *c);
enum emt_err api_import_delete(struct api_call *c);
enum emt_err api_import_crl(struct api_call *c);
enum emt_err api_gateway_certificate_list(struct api_call *c);
enum emt_err api_authority_list(struct api_call *c); /* api_authority.c */
enum emt_err api_authority_create(struct api_call *c);
enum emt_err api_authority_revoke(struct api_call *c);
enum emt_err api_emt_list(struct api_call *c); /* api_emt.c */
enum emt_err api_emt_create(struct api_call *c);
enum emt_err api_emt_get(struct api_call *c);
enum emt_err api_emt_delete(struct api_call *c);
enum emt_err api_enrol(struct api_call *c); /* api_enrol.c */
enum emt_err api_enrolment_create(struct api_call *c);
enum emt_err api_tenant_list(struct api_call *c); /* api_tenant.c */
enum emt_err api_tenant_create(struct api_call *c);
enum emt_err api_tenant_get(struct api_call *c);
enum emt_err api_tenant_update(struct api_call *c);
enum emt_err api_key_list_get(struct api_call *c); /* api_key.c */
enum emt_err api_key_create(struct api_call *c);
enum emt_err api_key_delete(struct api_call *c);
enum emt_err api_gateway_list(struct api_call *c); /* api_gateway.c */
enum emt_err api_gateway_create(struct api_call *c);
enum emt_err api_gateway_get(struct api_call *c);
enum emt_err api_gateway_update(struct api_call *c);
enum emt_err api_gateway_revoke(struct api_call *c);
enum emt_err api_command_list(struct api_call *c);
enum emt_err api_command_create(struct api_call *c);
enum emt_err api_heard_list(struct api_call *c); /* api_heard.c */
enum emt_err api_heard_decide(struct api_call *c);
enum emt_err api_allow_list_get(struct api_call *c); /* api_heard_allow.c */
enum emt_err api_allow_list_put(struct api_call *c);
enum emt_err api_device_list(struct api_call *c); /* api_device.c */
enum emt_err api_device_get(struct api_call *c);
enum emt_err api_device_update(struct api_call *c);
enum emt_err api_channel_list(struct api_call *c);
enum emt_err api_channel_get(struct api_call *c);
enum emt_err api_reading_list(struct api_call *c); /* api_reading.c */
enum emt_err api_reading_bulk(struct api_call *c);
enum emt_err api_conflict_list(struct api_call *c);
enum emt_err api_calculated_list(struct api_call *c); /* api_calculated.c */
enum emt_err api_calculated_create(struct api_call *c);
enum emt_err api_calculated_get(struct api_call *c);
enum emt_err api_calculated_version(struct api_call *c);
enum emt_err api_history_list(struct api_call *c); /* api_correction.c */
enum emt_err api_correction_list(struct api_call *c);
enum emt_err api_correction_create(struct api_call *c);
enum emt_err api_correction_withdraw(struct api_call *c);
enum emt_err api_conflict_decide(struct api_call *c);
enum emt_err api_frame_list(struct api_call *c); /* api_frame.c */
enum emt_err api_frame_get(struct api_call *c);  /* api_frame_detail.c */
enum emt_err api_event_list(struct api_call *c);
enum emt_err api_stream_open(struct api_call *c);   /* api_stream.c */
enum emt_err api_replay_create(struct api_call *c); /* api_replay.c */
enum emt_err api_replay_get(struct api_call *c);
enum emt_err api_meter_key_list(struct api_call *c); /* api_meter_key.c */
enum emt_err api_meter_key_create(struct api_call *c);
enum emt_err api_meter_key_delete(struct api_call *c);
enum emt_err api_location_list(struct api_call *c); /* api_location.c */
enum emt_err api_location_create(struct api_call *c);
enum emt_err api_location_get(struct api_call *c);
enum emt_err api_location_disclosure(struct api_call *c);
enum emt_err api_entitlement_get(struct api_call *c); /* api_entitlement.c */
enum emt_err api_entitlement_put(struct api_call *c);
enum emt_err api_tenant_remove(struct api_call *c);
enum emt_err api_unit_list(struct api_call *c); /* api_meaning.c */
enum emt_err api_unit_create(struct api_call *c);
enum emt_err api_unit_delete(struct api_call *c);
enum emt_err api_quantity_list(struct api_call *c);
enum emt_err api_quantity_create(struct api_call *c);
enum emt_err api_quantity_delete(struct api_call *c);
enum emt_err api_version_list(struct api_call *c);
enum emt_err api_version_create(struct api_call *c);
enum emt_err api_read_attempt_list(struct api_call *c);
enum emt_err api_read_attempt_create(struct api_call *c);
enum emt_err api_erasure_list(struct api_call *c); /* api_erasure.c */
enum emt_err api_erasure_create(struct api_call *c);
enum emt_err api_location_update(struct api_call *c);
enum emt_err api_location_delete(struct api_call *c);
enum emt_err api_binding_list(struct api_call *c);
enum emt_err api_binding_create(struct api_call *c);
enum emt_err api_binding_update(struct api_call *c);
enum emt_err api_binding_delete(struct api_call *c);
enum emt_err api_mandate_list(struct api_call *c); /* api_mandate.c */
enum emt_err api_mandate_create(struct api_call *c);
enum emt_err api_mandate_get(struct api_call *c);
enum emt_err api_mandate_update(struct api_call *c);
enum emt_err api_mandate_delete(struct api_call *c);
enum emt_err api_permission_list(struct api_call *c); /* api_rights.c */
enum emt_err api_export_list(struct api_call *c);     /* api_export.c */
enum emt_err api_export_create(struct api_call *c);
enum emt_err api_export_get(struct api_call *c);
enum emt_err api_export_content(struct api_call *c);
enum emt_err api_export_resend(struct api_call *c);
enum emt_err api_market_policy_list(struct api_call *c); /* api_market_rule.c */
enum emt_err api_market_policy_put(struct api_call *c);
enum emt_err api_market_policy_delete(struct api_call *c);
enum emt_err api_market_partner_list(struct api_call *c);
enum emt_err api_market_partner_put(struct api_call *c);
enum emt_err api_market_partner_delete(struct api_call *c);
enum emt_err api_target_list(struct api_call *c); /* api_target.c */
enum emt_err api_target_create(struct api_call *c);
enum emt_err api_target_get(struct api_call *c);
enum emt_err api_target_update(struct api_call *c);
enum emt_err api_target_delete(struct api_call *c);
enum emt_err api_target_test(struct api_call *c);
enum emt_err api_report_template_list(struct api_call *c); /* api_report.c */
enum emt_err api_report_template_create(struct api_call *c);
enum emt_err api_report_template_get(struct api_call *c);
enum emt_err api_report_template_update(struct api_call *c);
enum emt_err api_report_template_delete(struct api_call *c);
enum emt_err api_report_ready(struct api_call *c);
enum emt_err api_report_preview(struct api_call *c);
enum emt_err api_schedule_list(struct api_call *c); /* api_schedule.c */
enum emt_err api_schedule_create(struct api_call *c);
enum emt_err api_schedule_get(struct api_call *c);
enum emt_err api_schedule_update(struct api_call *c);
enum emt_err api_schedule_delete(struct api_call *c);
enum emt_err api_schedule_run(struct api_call *c);
enum emt_err api_acknowledgement_list(struct api_call *c); /* api_acknowledgement.c */
enum emt_err api_acknowledgement_create(struct api_call *c);
enum emt_err api_acknowledgement_get(struct api_call *c);
enum emt_err api_acknowledgement_content(struct api_call *c);
enum emt_err api_acknowledgement_rule_list(struct api_call *c);
enum emt_err api_acknowledgement_rule_put(struct api_call *c);
enum emt_err api_acknowledgement_rule_delete(struct api_call *c);
enum emt_err api_export_message_list(struct api_call *c); /* api_trace.c */
enum emt_err api_export_value_list(struct api_call *c);
enum emt_err api_channel_trace(struct api_call *c);
enum emt_err api_delivery_list(struct api_call *c); /* api_delivery.c */
enum emt_err api_delivery_create(struct api_call *c);

#endif
