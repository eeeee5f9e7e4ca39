/* Ingest engines on loops of their own, against a throw-away database; gateways and telegrams to
 * feed them. */
#ifndef EMT_TESTS_INGEST_RIG_H
#define EMT_TESTS_INGEST_RIG_H

#include "ingest/ingest.h"
#include "pg_fixture.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIG_TICKETS 64
#define RIG_WAIT_MS 20000

struct rig_engine;

/* Once in main(): the fixture that all tests share. */
extern struct pg_fixture *rig_fixture;
struct seal_key rig_master(void);

/* A tenant with data key; key unused. */
int32_t rig_tenant(const char *key);
/* A gateway with a cursor for spool `spool`, epoch 1, last_seq 0. */
int64_t rig_gateway(int32_t tenant, const char *external_id, uint8_t spool);
/* Wraps and stores a meter key; number NULL: any. Raises the registry version. */
void rig_key(int32_t tenant, const char *manufacturer, const char *number, int version, int type,
             const uint8_t key[16]);
int64_t rig_number(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void rig_sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct rig_options {
    size_t budget_bytes;
    unsigned batch_ms, batch_rows;
    const char *scratch_path;
};
struct rig_engine *rig_engine_new(const struct rig_options *o); /* NULL: defaults */
void rig_engine_free(struct rig_engine *e);

uint64_t rig_open(struct rig_engine *e, int32_t tenant, int64_t gateway, uint8_t spool,
                  int64_t epoch, uint64_t last_seq);
void rig_close(struct rig_engine *e, uint64_t ticket);
enum emt_err rig_push(struct rig_engine *e, uint64_t ticket, const struct ingest_frame *f);
enum emt_err rig_gap(struct rig_engine *e, uint64_t ticket, uint64_t from, uint64_t to,
                     const char *reason);
size_t rig_credit(struct rig_engine *e, uint64_t ticket);
/* Ends the test when it does not come in time. */
void rig_wait(struct rig_engine *e, uint64_t ticket, uint64_t up_to);
void rig_wait_fenced(struct rig_engine *e, uint64_t ticket);
uint64_t rig_up_to(struct rig_engine *e, uint64_t ticket);
size_t rig_rejected(struct rig_engine *e, uint64_t ticket);
const char *rig_reason(struct rig_engine *e, uint64_t ticket);
size_t rig_bytes_done(struct rig_engine *e, uint64_t ticket);
bool rig_is_full(struct rig_engine *e);
/* Everything that was pushed is committed. */
void rig_drain(struct rig_engine *e);

/* --- telegrams
 * -----------------------------------------------------------------------------------------------------
 */

struct rig_telegram {
    const char *number;    /* "10000001" */
    uint8_t version, type; /* default 1, 2 (electricity) */
    uint8_t access;
    const uint8_t *key; /* 16; NULL: plain */
    int64_t energy_wh;  /* DIF 04 VIF 03 */
    bool in_kwh;        /* … VIF 06, energy_wh in kWh */
    emt_time at;        /* the meter's date and time, whole minutes; 0: none */
    bool text;          /* a text record: "1.3" */
    char release;       /* … or with this as its last character */
};
struct rig_frame {
    uint8_t data[300];
    size_t len;
};
struct rig_frame rig_telegram(const struct rig_telegram *t);
/* Noon UTC some days ago: tests run on any day of the year, and noon is never a repeated hour. */
emt_time rig_noon(int days_ago);
/* Builds and pushes; protocol wmbus, no-link-crc. */
enum emt_err rig_send(struct rig_engine *e, uint64_t ticket, uint64_t seq, emt_time received_at,
                      const struct rig_telegram *t);

#endif
