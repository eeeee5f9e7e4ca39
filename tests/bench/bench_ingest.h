/* emt-bench ingest: encrypted telegrams of many tenants through the batch engine into PostgreSQL,
 * acknowledged after the commit. */
#ifndef EMT_TESTS_BENCH_INGEST_H
#define EMT_TESTS_BENCH_INGEST_H

/* argv[0] is "ingest". Options: --frames N, --tenants N, --devices N (per tenant), --conninfo TEXT
 * (a migrated database reached as emt_admin, emt_app and emt_ingest; without it a throw-away server
 * is started). Returns the exit code. */
int bench_ingest(int argc, char **argv);

#endif
