/* What all ways over libcurl share: a handle with our rules, the bytes on their way up, what an
 * error means. */
#ifndef EMT_DELIVERY_DELIVERY_CURL_H
#define EMT_DELIVERY_DELIVERY_CURL_H

#include "base/attr.h"
#include "delivery_internal.h"

#include <curl/curl.h>
#include <stdbool.h>

struct transfer {
    CURL *curl;
    const struct delivery_target *target;
    const struct delivery_file *file; /* NULL: no bytes of a file go up */
    struct delivery_result *out;
    bool read_failed;
    bool private_address; /* was refused */
    int key_fd;           /* SSH key, in memory only; -1 */
    char error[CURL_ERROR_SIZE];
    char answer[256]; /* begin of the last answer's body */
    size_t answer_len;
};

/* A handle with time limits, trust, credentials and url; protocol is the only one it may speak
 * ("sftp"). False: the result says why. In both cases transfer_end() frees. */
EMT_CHECKED bool transfer_begin(struct transfer *x, const struct delivery_target *t,
                                const struct delivery_file *file, struct delivery_result *out,
                                const char *protocol, const char *path);
void transfer_end(struct transfer *x);
/* The same handle at another path of the server. */
EMT_CHECKED bool transfer_path(struct transfer *x, const char *protocol, const char *path);
/* Not a global unicast address, or one that holds an IPv4 address that is not. */
struct sockaddr;
bool delivery_is_private(const struct sockaddr *a);
/* The file is what goes up, from its first byte. */
void transfer_upload(struct transfer *x);
/* Runs it; CURLE_OK, or the result says what happened. once: the server may have taken what it did
 * not answer to, so sending again might double it. */
CURLcode transfer_run(struct transfer *x, bool once);

#endif
