/* Brings one finished file to one target: a folder, SFTP, FTP(S), an HTTPS POST or a mail.
 *
 * What holds for all of them:
 * - Nobody sees half a file under its name. Folders and (S)FTP servers get ".NAME.part", which is
 * renamed once it is complete.
 * - A target is checked before a byte is sent: TLS verifies chain and host name against the
 * partner's own trust store (or the system's), SFTP compares the pinned host key. Plain FTP and
 * plain SMTP have to be allowed by name.
 * - Every try says what to do next (enum delivery_outcome), so that a file is neither lost nor sent
 * twice. Calls block for as long as the transfer takes: they belong on a worker thread. */
#ifndef EMT_DELIVERY_DELIVERY_H
#define EMT_DELIVERY_DELIVERY_H

#include "base/attr.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum delivery_kind {
    DELIVERY_LOCAL,         /* a folder of this machine */
    DELIVERY_SFTP,          /* SSH File Transfer Protocol */
    DELIVERY_FTP,           /* plain, only with plain_allowed */
    DELIVERY_FTPS,          /* explicit TLS (RFC 4217), for control and data */
    DELIVERY_FTPS_IMPLICIT, /* TLS from the first byte */
    DELIVERY_HTTPS,         /* POST, the file is the body */
    DELIVERY_MAIL,          /* SMTP, the file is an attachment */
};
/* As configuration and API spell it: "local", "sftp", "ftp", "ftps", "ftps-implicit", "https",
 * "mail". */
const char *delivery_kind_name(enum delivery_kind kind);
/* False: no such name. */
bool delivery_kind_parse(const char *name, enum delivery_kind *out);

#define DELIVERY_NAME_MAX 200     /* characters of a file's name */
#define DELIVERY_ADDRESSES_MAX 50 /* of a mail, all together */
/* Bytes of a file that goes by mail. */
#define DELIVERY_MAIL_LIMIT (25u << 20)

struct delivery_mail {
    const char *from;
    const char *const *to; /* closed by NULL, at least one; so are cc and bcc, which may be NULL */
    const char *const *cc;
    const char *const *bcc;
    const char *subject; /* UTF-8, one line */
    const char *text;    /* UTF-8, what stands above the attachment */
    /* Set: the message (a MIME entity of n bytes) is replaced by its signed and encrypted form,
     * which begins with header lines of its own; *out is malloc()ed and *out_len long. */
    enum emt_err (*seal)(void *ctx, const uint8_t *entity, size_t n, uint8_t **out, size_t *out_len,
                         struct emt_diag *diag);
    void *seal_ctx;
};

/* All texts are borrowed; NULL where not given. */
struct delivery_target {
    enum delivery_kind kind;
    const char *host;
    uint16_t port; /* 0: the protocol's */
    /* LOCAL: the folder, absolute. (S)FTP: the folder, absolute or, without a slash in front, below
     * the user's home. HTTPS: path and query. */
    const char *path;
    const char *user;
    const char *password;
    const char *private_key; /* SFTP: PEM or OpenSSH format, tried in the place of a password */
    const char *private_key_password;
    const char *host_key;   /* SFTP: "SHA256:…", as ssh-keygen -l prints it; must be given */
    const char *bearer;     /* HTTPS: token; else user and password as Basic */
    const char *ca_pem;     /* whom to trust; NULL: what the system trusts */
    const char *client_pem; /* mutual TLS: certificate chain and key */
    const char *client_key_pem;
    bool plain_allowed; /* FTP; MAIL without TLS */
    bool public_only; /* no addresses of this machine and of private networks (RFC 1918, 4193, 6598)
                       */
    bool implicit_tls;                /* MAIL: TLS from the first byte (port 465) */
    const struct delivery_mail *mail; /* MAIL */
    unsigned connect_s;               /* 0: 30 */
    unsigned stalled_s;               /* below 1 byte a second for so long ends the try; 0: 60 */
    unsigned transfer_s;              /* whole try; 0: 3600 */
};

/* The bytes. */
struct delivery_file {
    const char *name; /* letters, digits and . _ -; not beginning with a dot */
    const char *media_type;
    uint64_t size;
    /* Up to n bytes from where the last call ended; *got 0 at the end. */
    enum emt_err (*read)(void *ctx, void *buf, size_t n, size_t *got);
    /* Back to the first byte; each try begins with it. */
    enum emt_err (*rewind)(void *ctx);
    void *ctx;
    /* Asked about once a second while the try lasts; false ends it: DELIVERY_RETRY. May be NULL. */
    bool (*alive)(void *ctx);
    void *alive_ctx;
    /* An earlier try may have brought the file: look for its name before sending it again. */
    bool may_be_there;
};

enum delivery_outcome {
    DELIVERY_DONE,    /* complete, under its name */
    DELIVERY_THERE,   /* it was there already, from an earlier try */
    DELIVERY_RETRY,   /* not now: network, server busy, disk full; the same again later may work */
    DELIVERY_REFUSED, /* not like this: login, key, certificate, path, 4xx; somebody has to change
                         something */
    DELIVERY_UNKNOWN, /* all bytes went out and no answer came (HTTPS, MAIL): sending again might
                         double it */
};
const char *delivery_outcome_name(enum delivery_outcome outcome);

struct delivery_result {
    enum delivery_outcome outcome;
    char text[320];  /* for the operator: what happened, where, and the server's own words */
    uint64_t bytes;  /* sent in this try */
    unsigned answer; /* status of HTTP, FTP or SMTP; 0: none */
};

/* Whether the target is complete and allowed, without connecting. EMT_EMALFORMED: the diag's key is
 * the member, its text the reason; EMT_EUNSUPPORTED: this build was made without libcurl. */
EMT_CHECKED enum emt_err delivery_check(const struct delivery_target *t, struct emt_diag *diag);
/* One try. *out is always written; an incomplete target or name is DELIVERY_REFUSED. */
void delivery_send(const struct delivery_target *t, const struct delivery_file *file,
                   struct delivery_result *out);

/* A delivery_file over bytes of the caller: fill name and media_type afterwards. */
struct delivery_bytes {
    const uint8_t *data;
    size_t len;
    size_t pos;
};
struct delivery_file delivery_file_of(struct delivery_bytes *bytes);

#endif
