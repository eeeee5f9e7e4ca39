/* `emtctl decode`: JSON lines with frames in, JSON lines with readings out, one for each, in order
 * (docs/architecture.md). */
#ifndef EMT_CTL_DECODE_H
#define EMT_CTL_DECODE_H

/* Exit code: 0 every line was answered, 1 reading or writing failed, 2 wrong usage. */
int ctl_decode(int argc, char **argv);

#endif
