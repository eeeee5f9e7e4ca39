/* Reads UN/EDIFACT syntax version 3 (ISO 9735): any service characters that a UNA names, release
 * character, one segment at a time. Knows no message. Made for hostile input: every size is
 * bounded, nothing is allocated. */
#ifndef EMT_CONNECTORS_EDI_READER_H
#define EMT_CONNECTORS_EDI_READER_H

#include "base/attr.h"
#include "base/error.h"
#include "base/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDI_SEGMENT_MAX 2048   /* bytes of data in one segment */
#define EDI_COMPONENTS_MAX 128 /* in one segment */
#define EDI_ELEMENTS_MAX 64

struct edi_syntax {
    char component, element, decimal, release, reserved, terminator;
};

/* One segment, its data without release characters, as bytes of the interchange's character set
 * (UNOC: ISO 8859-1). Element 0 is the tag; elements and components count from 1 as CONTRL does. */
struct edi_segment {
    char text[EDI_SEGMENT_MAX + EDI_COMPONENTS_MAX]; /* components, each closed by 0 */
    uint16_t start[EDI_COMPONENTS_MAX];              /* of each component in text */
    uint8_t first[EDI_ELEMENTS_MAX + 1]; /* element e has components first[e] .. first[e + 1] - 1 */
    uint16_t end;                        /* of the last component in text, without its 0 */
    uint8_t n_components;
    uint8_t n_elements; /* without the tag */
    unsigned position;  /* in the file, from 1; UNA does not count */
    size_t offset;      /* of the tag in the input */
    bool odd_character; /* holds a control character */
};

struct edi_reader {
    struct reader in;
    struct edi_syntax syntax;
    bool plain[256];      /* bytes that are data as they stand */
    bool una;             /* the file names its service characters */
    unsigned segments;    /* read so far */
    unsigned line_breaks; /* found between segments */
    bool ends_with_break; /* line breaks stand behind the last segment */
    enum emt_err err;     /* first error; sticks */
};

/* data is borrowed. EMT_EUNSUPPORTED: begins neither with UNA nor with UNB; EMT_EMALFORMED: the
 * service characters of UNA are not six different ones (the reserved one aside), or letters or
 * digits; EMT_ETRUNCATED. */
EMT_CHECKED enum emt_err edi_reader_init(struct edi_reader *r, const void *data, size_t len);

/* The next segment. EMT_ENOTFOUND: none is left; EMT_ETRUNCATED: the input ends inside a segment;
 * EMT_EMALFORMED: a tag is not three of A-Z 0-9, or a zero byte; EMT_ELIMIT: longer or with more
 * elements than we read. out is complete on EMT_OK only; every error is final. */
EMT_CHECKED enum emt_err edi_reader_next(struct edi_reader *r, struct edi_segment *out);

/* Element from 1 (0: the tag), component from 1. "" for one that is not there. Lives as long as
 * seg. */
const char *edi_value(const struct edi_segment *seg, unsigned element, unsigned component);
/* Components of an element; 0 for one that is not there. */
unsigned edi_components(const struct edi_segment *seg, unsigned element);
/* Characters of component i of all, the tag's being 0; 0 for one that is not there. */
static inline size_t edi_length(const struct edi_segment *seg, unsigned i)
{
    if (i + 1 < seg->n_components)
        return (size_t)(seg->start[i + 1] - seg->start[i]) - 1;
    return i < seg->n_components ? seg->end - (size_t)seg->start[i] : 0;
}
/* Whether this is the segment's tag, which has three characters. */
static inline bool edi_is(const struct edi_segment *seg, const char *tag)
{
    return seg->text[0] == tag[0] && seg->text[1] == tag[1] && seg->text[2] == tag[2] &&
           tag[3] == '\0';
}

#endif
