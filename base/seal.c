#include "base/seal.h"

#include "base/cipher.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

#define FORMAT 1
#define NONCE_AT 3
#define NONCE_LEN 12
#define TEXT_AT 15
#define TAG_LEN 16
#define AAD_MAX 1024
#define KEY_LINE_MAX 128
#define KEY_DIGITS ((size_t)2 * SEAL_KEY_LEN)
#define KEY_WORD "emt-master-key"

/* Header of the blob and its place, each text behind its length: no two places give the same bytes.
 */
static enum emt_err make_aad(const struct seal_place *place, const uint8_t *header,
                             struct writer *w)
{
    const char *texts[] = { place->table, place->row, place->purpose };

    writer_bytes(w, header, NONCE_AT);
    writer_be(w, (uint32_t)place->tenant, 4);
    for (unsigned i = 0; i < 3; i++) {
        writer_be(w, strlen(texts[i]), 2);
        writer_text(w, texts[i]);
    }
    return w->failed ? EMT_ELIMIT : EMT_OK;
}

enum emt_err seal_wrap(const struct seal_key *k, const struct seal_place *place, const void *plain,
                       size_t len, uint8_t *out, size_t *out_len)
{
    uint8_t aad[AAD_MAX];
    struct writer w;
    struct cipher *c;
    enum emt_err err;

    out[0] = FORMAT;
    out[1] = (uint8_t)(k->version >> 8);
    out[2] = (uint8_t)k->version;
    writer_init_fixed(&w, aad, sizeof aad);
    err = make_aad(place, out, &w);
    if (!err)
        err = cipher_random(out + NONCE_AT, NONCE_LEN);
    if (err)
        return err;
    c = cipher_new();
    if (!c)
        return EMT_ENOMEM;
    err = cipher_aes_gcm_seal(c, k->key, SEAL_KEY_LEN, out + NONCE_AT, aad, w.len, plain, len,
                              out + TEXT_AT, out + TEXT_AT + len, TAG_LEN);
    cipher_free(c);
    if (!err)
        *out_len = len + SEAL_OVERHEAD;
    return err;
}

uint16_t seal_version(const uint8_t *blob, size_t blob_len)
{
    if (blob_len < SEAL_OVERHEAD || blob[0] != FORMAT)
        return 0;
    return (uint16_t)(blob[1] << 8 | blob[2]);
}

enum emt_err seal_unwrap(const struct seal_key *k, const struct seal_place *place,
                         const uint8_t *blob, size_t blob_len, uint8_t *out, size_t *out_len)
{
    uint16_t version = seal_version(blob, blob_len);
    uint8_t aad[AAD_MAX];
    struct writer w;
    struct cipher *c;
    size_t len;
    enum emt_err err;

    if (version == 0)
        return EMT_EMALFORMED;
    if (version != k->version)
        return EMT_ENOTFOUND;
    writer_init_fixed(&w, aad, sizeof aad);
    err = make_aad(place, blob, &w);
    if (err)
        return err;
    c = cipher_new();
    if (!c)
        return EMT_ENOMEM;
    len = blob_len - SEAL_OVERHEAD;
    err = cipher_aes_gcm_open(c, k->key, SEAL_KEY_LEN, blob + NONCE_AT, aad, w.len, blob + TEXT_AT,
                              len, blob + TEXT_AT + len, TAG_LEN, out);
    cipher_free(c);
    if (!err)
        *out_len = len;
    return err;
}

enum emt_err seal_key_make(struct seal_key *k, uint16_t version)
{
    if (version == 0) /* 0 says "no blob" in seal_version() */
        return EMT_EMALFORMED;
    k->version = version;
    return cipher_random(k->key, sizeof k->key);
}

/* One line into `line`, closed with a 0; the mode is checked on the open file, not on its name. */
static enum emt_err read_key_line(const char *path, char *line, struct emt_diag *diag)
{
    struct stat st;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum emt_err err = EMT_OK;

    if (fd < 0)
        return emt_fail(diag, errno == ENOENT ? EMT_ENOTFOUND : EMT_EIO,
                        "cannot open the key file: %s", strerror(errno));
    if (fstat(fd, &st) || (n = read(fd, line, KEY_LINE_MAX - 1)) < 0)
        err = emt_fail(diag, EMT_EIO, "cannot read the key file: %s", strerror(errno));
    else if (st.st_mode & 077)
        err = emt_fail(diag, EMT_EAUTH, "mode is %04o: others than its owner may use the key file",
                       (unsigned)(st.st_mode & 07777));
    (void)close(fd);
    line[n > 0 ? n : 0] = 0;
    return err;
}

static enum emt_err parse_key_line(const char *line, struct seal_key *k)
{
    static const char head[] = KEY_WORD " 1 ";
    const char *p = line + strlen(head);
    unsigned version = 0;
    size_t len;

    if (strncmp(line, head, strlen(head)) != 0)
        return EMT_EMALFORMED;
    for (; *p >= '0' && *p <= '9' && version <= UINT16_MAX; p++)
        version = version * 10 + (unsigned)(*p - '0');
    if (version == 0 || version > UINT16_MAX || *p++ != ' ')
        return EMT_EMALFORMED;
    if (strcspn(p, "\n") != KEY_DIGITS || (p[KEY_DIGITS] && p[KEY_DIGITS + 1]))
        return EMT_EMALFORMED;
    if (hex_decode(p, KEY_DIGITS, k->key, sizeof k->key, &len) || len != sizeof k->key)
        return EMT_EMALFORMED;
    k->version = (uint16_t)version;
    return EMT_OK;
}

enum emt_err seal_key_read(const char *path, struct seal_key *k, struct emt_diag *diag)
{
    char line[KEY_LINE_MAX];
    struct seal_key found;
    enum emt_err err;

    if (diag)
        (void)snprintf(diag->file, sizeof diag->file, "%s", path);
    err = read_key_line(path, line, diag);
    if (!err && parse_key_line(line, &found))
        err = emt_fail(diag, EMT_EMALFORMED,
                       "expected one line \"" KEY_WORD " 1 <version> <64 hex digits>\"");
    if (!err)
        *k = found;
    cipher_wipe(line, sizeof line);
    seal_key_wipe(&found);
    return err;
}

enum emt_err seal_key_create(const char *path, const struct seal_key *k, struct emt_diag *diag)
{
    char hex[2 * SEAL_KEY_LEN + 1];
    char line[KEY_LINE_MAX];
    int n = snprintf(line, sizeof line, KEY_WORD " 1 %u %s\n", k->version,
                     hex_encode(k->key, SEAL_KEY_LEN, hex));
    enum emt_err err = file_create(path, line, (size_t)n, 0600, diag);

    cipher_wipe(line, sizeof line);
    cipher_wipe(hex, sizeof hex);
    return err;
}

void seal_key_wipe(struct seal_key *k)
{
    cipher_wipe(k, sizeof *k);
}
