/* emtctl deliver: one file to one target by hand, to try a target out before a job relies on it. */
#ifndef EMT_CTL_CTL_DELIVER_H
#define EMT_CTL_CTL_DELIVER_H

/* argv[0] is "deliver". Exit code: 0 delivered, 1 not delivered, 2 wrong usage or configuration. */
int ctl_deliver(int argc, char **argv);

#endif
