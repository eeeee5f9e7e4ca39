/* Identifiers of the German energy market (reference: BDEW/DVGW code rules). */
#ifndef EMT_MODEL_MARKET_ID_H
#define EMT_MODEL_MARKET_ID_H

#include "base/attr.h"
#include "base/error.h"

/* Each returns EMT_OK or EMT_EMALFORMED with the reason in diag ("MaLo 51234567890: check digit is
 * 0, must be 5"). */

/* MaLo: 11 digits, first 1..9, check digit: odd positions + 2 * even positions, complement to the
 * next ten. */
EMT_CHECKED enum emt_err malo_check(const char *text, struct emt_diag *diag);
/* MeLo: 33 characters, two capital letters (country), 6 digits network operator, 5 digits postcode,
 * 20 characters A-Z 0-9. */
EMT_CHECKED enum emt_err melo_check(const char *text, struct emt_diag *diag);
/* NeLo: E, nine of 0-9 A-Z, check digit as a MaLo's, letters counting with their ASCII code. */
EMT_CHECKED enum emt_err nelo_check(const char *text, struct emt_diag *diag);
/* MP-ID: 13 digits. */
EMT_CHECKED enum emt_err mp_id_check(const char *text, struct emt_diag *diag);
/* UNB code qualifier of an MP-ID: "500" BDEW (99…), "502" DVGW (98…), "14" GS1 otherwise. Static
 * text. */
const char *mp_id_qualifier(const char *mp_id);
/* NAD agency of an MP-ID: "293", "332", "9". Static text. */
const char *mp_id_agency(const char *mp_id);

#endif
