/* emt-bench packs: raw frames as rows and as packs. */
#ifndef EMT_BENCH_PACKS_H
#define EMT_BENCH_PACKS_H

int bench_packs(int argc, char **argv);

#endif
