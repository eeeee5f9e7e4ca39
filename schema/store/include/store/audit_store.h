/* The audit log: entries are written in the transaction that they describe; chaining them is
 * another's work. Nobody changes or deletes them. */
#ifndef EMT_STORE_AUDIT_STORE_H
#define EMT_STORE_AUDIT_STORE_H

#include "base/attr.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* Texts are borrowed; no secrets in them. */
struct audit_entry {
    int32_t tenant;     /* 0: the platform; then as STORE_ADMIN */
    const char *actor;  /* "key:12", "user:admin", "emtd" */
    const char *action; /* "gateway.enrol" */
    const char *object; /* "gateway/7" */
    const char *detail; /* NULL: none */
    const char *peer;   /* address as text; NULL: none */
};

/* EMT_EDB also for a peer that is no address. */
EMT_CHECKED enum emt_err audit_append(struct store *s, const struct audit_entry *e);

/* For the test that prepares them all. */
struct store_statement;
const struct store_statement *audit_store_statements(size_t *n);

#endif
