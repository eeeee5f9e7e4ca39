/* emt-bench channel: the field channel's listener, handshake pool, link and session, up to the door
 * of the ingest queue, against a bare libevent and OpenSSL echo server in the same run. Each server
 * is a process of its own; there is no database. */
#ifndef EMT_TESTS_BENCH_CHANNEL_H
#define EMT_TESTS_BENCH_CHANNEL_H

/* argv[0] is "channel". Options: --sessions N (idle ones, 2,000), --handshakes N (500), --messages
 * N (20,000), --full (10,000 sessions). Returns the exit code. */
int bench_channel(int argc, char **argv);

#endif
