/* emt-bench decode-obis: SML files and IEC 62056-21 read-outs to readings, in memory. */
#ifndef EMT_TESTS_BENCH_DECODE_OBIS_H
#define EMT_TESTS_BENCH_DECODE_OBIS_H

/* Prints one JSON line per kind of frame. Exit code: 0, 1 when a frame does not decode or a warm
 * decoder takes memory, 2 for an argument. */
int bench_decode_obis(int argc, char **argv);

#endif
