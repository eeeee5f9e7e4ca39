/* emtctl acknowledge: partners' answers from files into the database. */
#ifndef EMT_CTL_CTL_ACKNOWLEDGE_H
#define EMT_CTL_CTL_ACKNOWLEDGE_H

/* The exit code. */
int ctl_acknowledge(int argc, char **argv);

#endif
