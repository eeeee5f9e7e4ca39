/* emt-bench ingest --gateways N: the whole server under gateways over TLS. */
#ifndef EMT_TESTS_BENCH_INGEST_FLEET_H
#define EMT_TESTS_BENCH_INGEST_FLEET_H

/* rate 0: as fast as it goes, then 70 % of that. */
int bench_ingest_fleet(unsigned gateways, unsigned tenants, unsigned rate, unsigned seconds);

#endif
