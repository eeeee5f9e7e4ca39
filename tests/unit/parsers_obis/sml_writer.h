/* Writes SML files for tests, field by field as the standard lays them out. */
#ifndef EMT_TESTS_UNIT_PARSERS_OBIS_SML_WRITER_H
#define EMT_TESTS_UNIT_PARSERS_OBIS_SML_WRITER_H

#include "base/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sml_writer {
    struct writer body; /* the messages */
    uint8_t storage[4096];
    size_t start; /* of the message that is being written */
    bool kermit;  /* message checksums of the old kind */
};

void sml_writer_init(struct sml_writer *w);
void sml_list(struct sml_writer *w, unsigned n);
void sml_none(struct sml_writer *w);
void sml_octets(struct sml_writer *w, const void *p, size_t n);
void sml_hex(struct sml_writer *w, const char *hex); /* octets */
void sml_raw(struct sml_writer *w, const char *hex); /* bytes as they are */
void sml_unsigned(struct sml_writer *w, unsigned bytes, uint64_t v);
void sml_integer(struct sml_writer *w, unsigned bytes, int64_t v);
void sml_timestamp(struct sml_writer *w, uint32_t seconds);
/* Head of a message up to its tag; the body follows. */
void sml_message(struct sml_writer *w, uint32_t tag);
void sml_message_end(struct sml_writer *w);
void sml_open(struct sml_writer *w, const char *server);
void sml_close(struct sml_writer *w);
/* GetList response up to the list itself: n entries follow, then sml_get_list_end(). */
void sml_get_list(struct sml_writer *w, const char *server, unsigned n);
void sml_get_list_end(struct sml_writer *w);
/* Entry with unit, scaler and a signed value. */
void sml_entry(struct sml_writer *w, const char *obis, unsigned unit, int scaler, int64_t value);
/* Puts the envelope around the messages; the length of the file. out holds 8192. */
size_t sml_envelope(const struct sml_writer *w, unsigned version, uint8_t *out);

#endif
