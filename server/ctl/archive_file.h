/* The files of a tenant's archive: manifest, its seal, and one file per table. */
#ifndef EMT_CTL_ARCHIVE_FILE_H
#define EMT_CTL_ARCHIVE_FILE_H

#include "base/attr.h"
#include "base/error.h"
#include "base/seal.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARCHIVE_FORMAT "emt-tenant-archive"
#define ARCHIVE_VERSION 1
#define ARCHIVE_HEX (2 * 32 + 1)
#define ARCHIVE_FOLDER_MAX 2048

struct cipher_digest;

/* A table's file while it is written or read, with its SHA-256. */
struct archive_file {
    FILE *file;
    struct cipher_digest *digest;
    int64_t bytes;
};
/* FOLDER/tables/NAME.copy. Writing: EMT_ECONFLICT when it exists. End with archive_file_close(). */
EMT_CHECKED enum emt_err archive_file_open(const char *folder, const char *table, bool write,
                                           struct archive_file *out, struct emt_diag *diag);
/* archive_sink and archive_source (store/tenant_archive_store.h). */
EMT_CHECKED enum emt_err archive_file_put(void *ctx, const void *p, size_t n);
EMT_CHECKED enum emt_err archive_file_take(void *ctx, void *buf, size_t size, size_t *n);
/* Writing: on disk before it returns EMT_OK. */
EMT_CHECKED enum emt_err archive_file_close(struct archive_file *f, char sha256[ARCHIVE_HEX]);

/* manifest.json, and manifest.mac: HMAC-SHA256 over it, under a key made of the transport key. As
 * it names the hash of every file, it speaks for all of them. */
EMT_CHECKED enum emt_err archive_manifest_write(const char *folder,
                                                const struct seal_key *transport,
                                                const json_t *manifest, struct emt_diag *diag);
/* *out: json_decref(). EMT_EAUTH: not sealed with this key, or changed since; EMT_EUNSUPPORTED
 * newer than this program. */
EMT_CHECKED enum emt_err archive_manifest_read(const char *folder, const struct seal_key *transport,
                                               json_t **out, struct emt_diag *diag);

#endif
