/* Templates of reports, the registers that a report walks through, and who gets it by mail. Inside
 * a transaction of the tenant. */
#ifndef EMT_STORE_REPORT_STORE_H
#define EMT_STORE_REPORT_STORE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- templates --- */

struct report_template_row {
    const char *name;
    const char *definition;         /* JSON object with the members of struct report_text */
    struct store_array *quantities; /* text[]; empty: all that are numbers */
    bool history;
};
#define REPORT_TEMPLATES_MOST 200 /* of a tenant */
/* EMT_ECONFLICT the name is taken; EMT_ELIMIT there are REPORT_TEMPLATES_MOST. */
EMT_CHECKED enum emt_err report_template_insert(struct store *s, int32_t tenant,
                                                const struct report_template_row *row, int64_t *id);
EMT_CHECKED enum emt_err report_template_update(struct store *s, int32_t tenant, int64_t id,
                                                const struct report_template_row *row);
/* EMT_ECONFLICT a schedule names it; EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err report_template_delete(struct store *s, int32_t tenant, int64_t id);
/* Until the transaction ends nobody else changes it. EMT_ENOTFOUND. */
EMT_CHECKED enum emt_err report_template_lock(struct store *s, int32_t tenant, int64_t id);

/* Columns of report_template_get() and report_template_list(); those from SHAPE on are texts, the
 * columns one per line. */
enum report_template_column {
    REPORT_T_CURSOR,
    REPORT_T_ID,
    REPORT_T_NAME,
    REPORT_T_DEFINITION,
    REPORT_T_QUANTITIES, /* one per line */
    REPORT_T_HISTORY,
    REPORT_T_CREATED_AT,
    REPORT_T_REVISION,
    REPORT_T_COLUMNS,
    REPORT_T_SHAPE,
    REPORT_T_FORMAT,
    REPORT_T_LANGUAGE,
    REPORT_T_ENCODING,
    REPORT_T_UNREPRESENTABLE,
    REPORT_T_TIME_ZONE,
    REPORT_T_TIME_FORMAT,
    REPORT_T_DATE_FORMAT,
    REPORT_T_CLOCK_FORMAT,
    REPORT_T_FIELD_SEPARATOR,
    REPORT_T_DECIMAL_SEPARATOR,
    REPORT_T_QUOTING,
    REPORT_T_LINE_END,
    REPORT_T_MEASURE,
    REPORT_T_ENERGY_UNIT,
    REPORT_T_GRID,
    REPORT_T_PREAMBLE,
    REPORT_T_TITLE,
    REPORT_T_COMPANY,
    REPORT_T_LOGO_TEXT,
    REPORT_T_CONTACT_NAME,
    REPORT_T_CONTACT_MAIL,
    REPORT_T_CONTACT_PHONE,
    REPORT_T_FILE_NAME,
    REPORT_T_HEADING,
    REPORT_T_LETTERHEAD,
    REPORT_T_CELL_STATUS,
    REPORT_T_DECIMALS,
    REPORT_T_STEP_S
};
EMT_CHECKED enum emt_err report_template_get(struct store *s, int32_t tenant, int64_t id,
                                             struct store_result **out);
EMT_CHECKED enum emt_err report_template_list(struct store *s, int32_t tenant, int64_t after,
                                              int limit, struct store_result **out);

/* --- what a report walks through --- */

/* Which registers: of active, adopted devices, numbers and no maxima or minima. */
struct report_choice {
    const char *location;   /* MeLo or MaLo that they are bound to; NULL: all */
    const char *quantities; /* names, one per line; "": all */
    bool history;           /* storages other than 0, too */
    emt_time from, to;      /* a binding of this period names the location and the ratio */
};
/* Columns of report_series_page(). */
enum report_series_column {
    REPORT_S_CHANNEL,
    REPORT_S_DEVICE,
    REPORT_S_METER,
    REPORT_S_IDENT,
    REPORT_S_MANUFACTURER,
    REPORT_S_TYPE, /* int2, NULL: not known */
    REPORT_S_NAME,
    REPORT_S_PLACE,
    REPORT_S_LOCATION,
    REPORT_S_REGISTER_NUMBER,
    REPORT_S_OBIS,
    REPORT_S_QUANTITY,
    REPORT_S_CHANNEL_NAME,
    REPORT_S_UNIT,
    REPORT_S_TARIFF,
    REPORT_S_STORAGE,
    REPORT_S_RATIO_MANTISSA,
    REPORT_S_RATIO_EXPONENT,
    REPORT_S_CUMULATES
};
/* Registers of the next `devices` devices behind `after`, by device; a device's registers that may
 * be differenced first. No row: there are no more devices with registers of this choice. */
EMT_CHECKED enum emt_err report_series_page(struct store *s, int32_t tenant,
                                            const struct report_choice *choice, int64_t after,
                                            int devices, struct store_result **out);
EMT_CHECKED enum emt_err report_series_count(struct store *s, int32_t tenant,
                                             const struct report_choice *choice, int64_t *n);

/* Columns of report_series_places(). */
enum report_place_column {
    REPORT_P_LOCATION,
    REPORT_P_REGISTER_NUMBER,
    REPORT_P_RATIO_MANTISSA,
    REPORT_P_RATIO_EXPONENT,
    REPORT_P_FROM,
    REPORT_P_TO,
    REPORT_P_CALCULATED /* bool: other channels go into it, whose mandates count, too */
};
/* When within [from, to) a channel was bound to which location (NULL: any), and, with a recipient,
 * only under its mandates for that location, whatever the purpose. MeLo first, by begin. */
EMT_CHECKED enum emt_err report_series_places(struct store *s, int32_t tenant, int64_t channel,
                                              const char *location, emt_time from, emt_time to,
                                              const char *recipient, struct store_result **out);

/* --- mail --- */

/* Lists one address per line. */
EMT_CHECKED enum emt_err report_mail_set(struct store *s, int32_t tenant, int64_t file_id,
                                         const char *to, const char *cc, const char *bcc);
/* One row (to, cc, bcc), lists one address per line. EMT_ENOTFOUND: the target's recipients. */
EMT_CHECKED enum emt_err report_mail_get(struct store *s, int32_t tenant, int64_t file_id,
                                         struct store_result **out);

/* --- meters that are read first --- */

/* Begins it for a job: a command "read" for each gateway with an open session that heard a meter of
 * this choice within the last 40 days. Once per job: again gives the numbers of the first time.
 * *gateways were asked. */
EMT_CHECKED enum emt_err readout_begin(struct store *s, int32_t tenant, int64_t job,
                                       const struct report_choice *choice, int32_t deadline_s,
                                       int64_t *gateways);
struct readout_state {
    emt_time begun_at, deadline;
    int64_t gateways, ended; /* commands that ended, however */
    int64_t meters, fresh;   /* of the choice; fresh: with a value since it began */
};
/* EMT_ENOTFOUND: none was begun for this job. */
EMT_CHECKED enum emt_err readout_state(struct store *s, int32_t tenant, int64_t job,
                                       const struct report_choice *choice,
                                       struct readout_state *out);
/* Meters without a value since it began, and why: rows (number text, gateway text "" for none,
 * reason text), at most limit. */
EMT_CHECKED enum emt_err readout_missing(struct store *s, int32_t tenant, int64_t job,
                                         const struct report_choice *choice, int limit,
                                         struct store_result **out);
EMT_CHECKED enum emt_err readout_end(struct store *s, int32_t tenant, int64_t job);

const struct store_statement *report_store_statements(size_t *n);

#endif
