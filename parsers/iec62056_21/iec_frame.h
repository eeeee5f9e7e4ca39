/* The outer form of a read-out: parity, identification line, data block, check. */
#ifndef EMT_PARSERS_IEC62056_21_IEC_FRAME_H
#define EMT_PARSERS_IEC62056_21_IEC_FRAME_H

#include "iec_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IEC_SOH 0x01
#define IEC_STX 0x02
#define IEC_ETX 0x03
#define IEC_EOT 0x04
#define IEC_ACK 0x06
#define IEC_NAK 0x15

enum iec_check { IEC_CHECK_NONE, IEC_CHECK_BCC, IEC_CHECK_CRC16 };

struct iec_frame {
    struct iec_span ident; /* without '/'; n = 0: none */
    size_t ident_offset;   /* of the '/' */
    struct iec_span data;  /* lines, up to the '!' or the end of the block */
    size_t data_offset;
    enum iec_check check;           /* the check that was there, and fitted */
    size_t check_offset, check_len; /* of the check, 0 where there is none */
    bool partial;                   /* the block ends in EOT: another follows */
    bool short_crc;                 /* a checksum printed without its leading zeros */
};

/* XOR of seven bits over p: the block check of STX (not counted) to ETX (counted). */
uint8_t iec_bcc(const uint8_t *p, size_t n);
/* True when every byte has even parity and some have the top bit: a line of seven data bits and
 * even parity read with eight data bits. */
bool iec_has_parity(const uint8_t *p, size_t n);
/* NULL when the frame is whole and its check fits, otherwise the reason (static). out borrows. */
const char *iec_frame_parse(const uint8_t *p, size_t n, struct iec_frame *out);

#endif
