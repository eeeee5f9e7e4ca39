/* emt-bench decode-dlms: DLMS pushes to readings, in memory, plain and ciphered. */
#ifndef EMT_TESTS_BENCH_DECODE_DLMS_H
#define EMT_TESTS_BENCH_DECODE_DLMS_H

/* Prints one JSON line per kind of frame. Exit code: 0, 1 when a frame does not decode or a warm
 * decoder takes memory, 2 for an argument. */
int bench_decode_dlms(int argc, char **argv);

#endif
