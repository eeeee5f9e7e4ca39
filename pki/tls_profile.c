#include "tls_internal.h"

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* BSI TR-03116-3: the suites of the smart meter WAN; groups with brainpool must be named, the
 * library's own list has none, and in TLS 1.2 the list also limits the curves of client
 * certificates. P-256 first: it costs a quarter of brainpoolP256r1. */
#define EMT_SUITES_12                                                                              \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA256"
#define EMT_SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"
#define EMT_GROUPS "P-256:brainpoolP256r1:brainpoolP384r1:P-384:brainpoolP512r1"
#define EMT_SIGNATURES "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512"
/* Others' devices have RSA keys; PKCS #1 v1.5 counts in TLS 1.2 only. */
#define LOGGER_SIGNATURES                                                                          \
    EMT_SIGNATURES ":RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512"
#define HTTPS_SUITES_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

static const uint8_t alpn_emt[] = { 5, 'e', 'm', 't', '/', '1' };
static const uint8_t alpn_http[] = { 8, 'h', 't', 't', 'p', '/', '1', '.', '1' };

/* Deprecated in favour of TLS_server_method() with version limits; session_slim() needs the fixed
 * method. */
static const SSL_METHOD *only_12(void)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    return TLSv1_2_server_method();
#pragma GCC diagnostic pop
}

/* The field channel keeps to TR-03116-3; HTTPS has browsers before it and keeps the library's
 * groups and signatures. */
static const struct profile table[] = {
    [TLS_PROFILE_FIELD_12] = { .name = "emt",
                               .mutual = true,
                               .rule = LEAF_EMT,
                               .least = TLS1_2_VERSION,
                               .most = TLS1_2_VERSION,
                               .method = only_12,
                               .slim = true,
                               .suites_12 = EMT_SUITES_12,
                               .suites_13 = EMT_SUITES_13,
                               .groups = EMT_GROUPS,
                               .signatures = EMT_SIGNATURES,
                               .alpn = alpn_emt,
                               .alpn_len = sizeof alpn_emt,
                               .needs_alpn = true },
    [TLS_PROFILE_FIELD_13] = { .name = "emt-13",
                               .mutual = true,
                               .rule = LEAF_EMT,
                               .least = TLS1_3_VERSION,
                               .most = TLS1_3_VERSION,
                               .method = TLS_server_method,
                               .suites_12 = EMT_SUITES_12,
                               .suites_13 = EMT_SUITES_13,
                               .groups = EMT_GROUPS,
                               .signatures = EMT_SIGNATURES,
                               .alpn = alpn_emt,
                               .alpn_len = sizeof alpn_emt,
                               .needs_alpn = true },
    [TLS_PROFILE_LOGGER] = { .name = "logger",
                             .mutual = true,
                             .rule = LEAF_LOGGER,
                             .least = TLS1_2_VERSION,
                             .most = TLS1_3_VERSION,
                             .method = TLS_server_method,
                             .suites_12 = EMT_SUITES_12,
                             .suites_13 = EMT_SUITES_13,
                             .groups = EMT_GROUPS,
                             .signatures = EMT_SIGNATURES,
                             .peer_signatures = LOGGER_SIGNATURES,
                             .alpn = alpn_emt,
                             .alpn_len = sizeof alpn_emt,
                             .needs_alpn = true },
    [TLS_PROFILE_HTTPS] = { .name = "https",
                            .rule = LEAF_ANY,
                            .least = TLS1_2_VERSION,
                            .most = TLS1_3_VERSION,
                            .method = TLS_server_method,
                            .suites_12 = HTTPS_SUITES_12,
                            .alpn = alpn_http,
                            .alpn_len = sizeof alpn_http },
    [TLS_PROFILE_AGENT] = { .name = "agent",
                            .client = true,
                            .mutual = true,
                            .rule = LEAF_ANY,
                            .least = TLS1_2_VERSION,
                            .most = TLS1_3_VERSION,
                            .method = TLS_client_method,
                            .suites_12 = EMT_SUITES_12,
                            .suites_13 = EMT_SUITES_13,
                            .groups = EMT_GROUPS,
                            .signatures = EMT_SIGNATURES,
                            .alpn = alpn_emt,
                            .alpn_len = sizeof alpn_emt,
                            .needs_alpn = true },
    [TLS_PROFILE_HTTPS_CLIENT] = { .name = "https-client",
                                   .client = true,
                                   .mutual = true,
                                   .rule = LEAF_ANY,
                                   .least = TLS1_2_VERSION,
                                   .most = TLS1_3_VERSION,
                                   .method = TLS_client_method,
                                   .suites_12 = HTTPS_SUITES_12,
                                   .alpn = alpn_http,
                                   .alpn_len = sizeof alpn_http },
};

const struct profile *profile_of(enum tls_profile p)
{
    return &table[p];
}

const char *tls_profile_name(enum tls_profile p)
{
    return table[p].name;
}
