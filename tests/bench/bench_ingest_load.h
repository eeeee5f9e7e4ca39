/* emt-bench ingest-load: the gateways of emt-bench ingest --gateways, in a process of their own. */
#ifndef EMT_TESTS_BENCH_INGEST_LOAD_H
#define EMT_TESTS_BENCH_INGEST_LOAD_H

int bench_ingest_load(int argc, char **argv);

#endif
