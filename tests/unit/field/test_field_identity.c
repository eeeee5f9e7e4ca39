/* Who a gateway is: certificates, known, revoked, copied, about to end. */
#include "field_fixture.h"

#include <check.h>
#include <inttypes.h>
#include <string.h>

START_TEST(a_revoked_certificate_ends_its_session_and_gets_no_other)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;

    node_start(&s);
    gateway_make(&g, "gw-revoked", true);
    join(&c, &g, NULL);
    change("update gateway_certificate set revoked_at = now() where gateway_id = %" PRId64, g.id);
    field_wake(node.field);
    client_expect_bye(&c, "revoked");
    client_close(&c);
    /* Resuming, the client believes to be done before the server has looked. */
    if (client_open(&c, g.ctx, "127.0.0.1", field_port12(node.field, 0), NULL) == EMT_OK) {
        struct uplink_message m;
        ck_assert(!client_next(&c, &m, 5000));
    }
    client_close(&c);
    counter_await("emt_field_handshakes_total", "result=\"revoked\"", 1);
    ck_assert_int_eq(counter("emt_field_handshakes_total", "result=\"revoked\""), 1);
    ck_assert_int_eq(counter("emt_field_closed_total", "reason=\"revoked\""), 1);
    gateway_release(&g);
}
END_TEST

START_TEST(who_is_not_known_or_not_this_tenants_is_refused)
{
    struct field_settings s = { 0 };
    struct gateway g, other;
    struct gateway_client c;

    node_start(&s);
    gateway_make(&g, "gw-unknown", false);
    connect_from(&c, &g, NULL);
    client_hello(&c, 1);
    client_expect_bye(&c, "unknown-certificate");
    client_close(&c);
    gateway_release(&g);

    /* The directory says one gateway, the certificate another. */
    gateway_make(&other, "gw-other", true);
    change("update gateway set external_id = 'gw-renamed' where gateway_id = %" PRId64, other.id);
    connect_from(&c, &other, NULL);
    client_hello(&c, 1);
    client_expect_bye(&c, "wrong-tenant");
    client_close(&c);
    ck_assert_int_eq(
        number("select count(*) from gateway_session where gateway_id = %" PRId64, other.id), 0);

    change("update tenant set state = 1 where id = %d", node.alpha);
    connect_from(&c, &other, NULL);
    client_hello(&c, 1);
    client_expect_bye(&c, "tenant-suspended");
    client_close(&c);
    gateway_release(&other);
}
END_TEST

START_TEST(one_identity_at_two_addresses_is_held)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;
    struct uplink_message m;
    unsigned turns = 0;

    node_start(&s);
    gateway_make(&g, "gw-clone", true);
    for (;; turns++) {
        ck_assert_uint_lt(turns, 12);
        connect_from(&c, &g, turns % 2 ? "127.0.0.2" : "127.0.0.1");
        client_hello(&c, 1);
        ck_assert(client_next(&c, &m, 5000));
        if (m.kind == UPLINK_BYE)
            break;
        ck_assert_int_eq(m.kind, UPLINK_WELCOME);
        client_close(&c);
    }
    ck_assert_str_eq(m.u.bye.reason, "clone");
    /* To the second address and back is the first turn; five are borne. */
    ck_assert_uint_eq(turns, 7);
    client_close(&c);
    for (int i = 0; i < 2; i++) {
        connect_from(&c, &g, i ? "127.0.0.2" : "127.0.0.1");
        client_hello(&c, 1);
        client_expect_bye(&c, "clone");
        client_close(&c);
    }
    eventually("select count(*) from event where kind = 'clone' and severity = 2"
               " and gateway_id = %" PRId64,
               g.id, 1);
    gateway_release(&g);
}
END_TEST

/* A certificate whose life of a year ends in so many days. */
static void age_certificate(const struct gateway *g, int days)
{
    change("update gateway_certificate set not_after = now() + interval '%d days',"
           " not_before = now() - interval '%d days' where fingerprint = '\\x%s'",
           days, 365 - days, g->fingerprint);
}

START_TEST(the_end_of_a_certificate_is_told_three_times)
{
    struct field_settings s = { 0 };
    struct gateway g;

    gateway_make(&g, "gw-ends", true);
    age_certificate(&g, 91);
    ck_assert_int_eq(number("select certificates_warn()"), 0);
    age_certificate(&g, 89);
    node_start(&s); /* the node looks by itself */
    eventually(
        "select count(*) from event where kind = 'certificate-ends' and gateway_id = %" PRId64,
        g.id, 1);
    ck_assert_int_eq(number("select certificates_warn()"), 0); /* once */
    age_certificate(&g, 29);
    ck_assert_int_eq(number("select certificates_warn()"), 1);
    age_certificate(&g, 6);
    ck_assert_int_eq(number("select certificates_warn()"), 1);
    ck_assert_int_eq(number("select certificates_warn()"), 0);
    ck_assert_int_eq(number("select max(severity) from event where gateway_id = %" PRId64, g.id),
                     2);
    gateway_release(&g);
}
END_TEST

/* What the head-end answers to a request of this text. */
static void expect_no_certificate(struct gateway_client *c, const char *csr, const char *reason)
{
    struct uplink_message q = { .kind = UPLINK_CERTIFICATE_REQUEST }, a;

    q.u.certificate_request.csr = (const uint8_t *)csr;
    q.u.certificate_request.len = strlen(csr);
    client_send(c, &q);
    client_expect(c, UPLINK_CERTIFICATE_ISSUED, &a);
    ck_assert_uint_eq(a.u.certificate_issued.len, 0);
    ck_assert_str_eq(a.u.certificate_issued.reason, reason);
    ck_assert_uint_ge(a.u.certificate_issued.retry_after_ms, 60000);
}

START_TEST(who_gets_no_certificate_is_told_why_and_goes_on)
{
    struct field_settings s = { 0 };
    struct gateway g;
    struct gateway_client c;

    node_start(&s);
    gateway_make(&g, "gw-greedy", true);
    join(&c, &g, NULL);
    ck_assert_int_eq(
        number("select count(*) from gateway_certificate where first_used_at is not null"
               " and gateway_id = %" PRId64,
               g.id),
        1);
    expect_no_certificate(&c, "no request at all", "no-authority"); /* this tenant has no CA */
    change("insert into gateway_certificate (tenant_id, fingerprint, gateway_id, serial,"
           " not_before, not_after) select %d, decode(repeat(lpad(to_hex(i), 2, '0'), 32), 'hex'),"
           " %" PRId64 ", 'unused', now(), now() + interval '1 day' from generate_series(1, 5) i",
           node.alpha, g.id);
    expect_no_certificate(&c, "one more", "too-often");
    ck_assert_int_eq(counter("emt_field_certificates_total", "result=\"refused\""), 2);
    client_frames(&c, 1, 3, 50);
    client_expect_ack(&c, 3);
    client_close(&c);
    gateway_release(&g);
}
END_TEST

int main(void)
{
    TCase *c = field_fixture_case("field_identity");

    tcase_add_test(c, a_revoked_certificate_ends_its_session_and_gets_no_other);
    tcase_add_test(c, who_is_not_known_or_not_this_tenants_is_refused);
    tcase_add_test(c, one_identity_at_two_addresses_is_held);
    tcase_add_test(c, the_end_of_a_certificate_is_told_three_times);
    tcase_add_test(c, who_gets_no_certificate_is_told_why_and_goes_on);
    return field_fixture_run(c);
}
