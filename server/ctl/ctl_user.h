/* emtctl user: the way back in for an operator whose password is lost. */
#ifndef EMT_CTL_CTL_USER_H
#define EMT_CTL_CTL_USER_H

/* argv[0] is "user". The exit code. */
int ctl_user(int argc, char **argv);

#endif
