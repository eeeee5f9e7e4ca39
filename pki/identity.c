#include "identity.h"

#include "base/reader.h"
#include "base/writer.h"

#include <string.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

/* Layout: version u8 | origin u8 | fingerprint 32 | issuer 32 | anchor 32 | not_before, not_after,
 * first_handshake, valid_until, epoch 8 each, big endian | common name, organisation, serial:
 * length u8 and text. */
enum { IDENTITY_VERSION = 2, IDENTITY_MAX = 512 };

static void put_text(struct writer *w, const char *s)
{
    writer_u8(w, (uint8_t)strlen(s)); /* at most 64 */
    writer_text(w, s);
}

enum emt_err identity_save(const struct identity *id, SSL_SESSION *session)
{
    uint8_t buf[IDENTITY_MAX];
    struct writer w;

    writer_init_fixed(&w, buf, sizeof buf);
    writer_u8(&w, IDENTITY_VERSION);
    writer_u8(&w, (uint8_t)id->peer.origin);
    writer_bytes(&w, id->peer.fingerprint, sizeof id->peer.fingerprint);
    writer_bytes(&w, id->peer.issuer_key_id, sizeof id->peer.issuer_key_id);
    writer_bytes(&w, id->peer.anchor, sizeof id->peer.anchor);
    writer_be(&w, (uint64_t)id->peer.not_before, 8);
    writer_be(&w, (uint64_t)id->peer.not_after, 8);
    writer_be(&w, (uint64_t)id->peer.first_handshake, 8);
    writer_be(&w, (uint64_t)id->valid_until, 8);
    writer_be(&w, id->epoch, 8);
    put_text(&w, id->peer.common_name);
    put_text(&w, id->peer.organisation);
    put_text(&w, id->peer.serial);
    if (w.failed)
        return EMT_EINTERNAL;
    return SSL_SESSION_set1_ticket_appdata(session, w.data, w.len) == 1 ? EMT_OK : EMT_ENOMEM;
}

static void get_text(struct reader *r, char out[65])
{
    size_t n = reader_u8(r);

    if (n > 64)
        reader_fail(r);
    else if (reader_copy(r, out, n))
        out[n] = 0;
}

enum emt_err identity_load(SSL_SESSION *session, struct identity *out)
{
    struct identity id = { 0 };
    void *data = NULL;
    size_t len = 0;

    if (!session || SSL_SESSION_get0_ticket_appdata(session, &data, &len) != 1 || len == 0)
        return EMT_ENOTFOUND;

    struct reader r = reader_of(data, len);
    if (reader_u8(&r) != IDENTITY_VERSION)
        return EMT_ENOTFOUND;
    id.peer.origin = (enum tls_peer_origin)reader_u8(&r);
    reader_copy(&r, id.peer.fingerprint, sizeof id.peer.fingerprint);
    reader_copy(&r, id.peer.issuer_key_id, sizeof id.peer.issuer_key_id);
    reader_copy(&r, id.peer.anchor, sizeof id.peer.anchor);
    id.peer.not_before = (emt_time)reader_be(&r, 8);
    id.peer.not_after = (emt_time)reader_be(&r, 8);
    id.peer.first_handshake = (emt_time)reader_be(&r, 8);
    id.valid_until = (emt_time)reader_be(&r, 8);
    id.epoch = reader_be(&r, 8);
    get_text(&r, id.peer.common_name);
    get_text(&r, id.peer.organisation);
    get_text(&r, id.peer.serial);
    if (r.failed || !reader_at_end(&r))
        return EMT_EINTERNAL;
    id.peer.present = true;
    *out = id;
    return EMT_OK;
}
