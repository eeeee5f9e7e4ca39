#ifndef EMT_CTL_CTL_AUDIT_H
#define EMT_CTL_CTL_AUDIT_H

/* emtctl audit verify: 0 every chain holds, 1 one is broken (named on stdout) or could not be read,
 * 2 wrong usage. */
int ctl_audit(int argc, char **argv);

#endif
