/* emtctl mscons: looks at EDIFACT files of the market without a server. */
#ifndef EMT_CTL_MSCONS_H
#define EMT_CTL_MSCONS_H

/* argv[0] is "mscons", argv[1] the verb:
 *   check [--name] FILE…   findings on stdout as FILE:SEGMENT: CODE: text, warnings on stderr
 *   show FILE              what the file holds, as JSON on stdout
 * Returns the exit code: 0 clean or shown, 1 findings, 2 unreadable or wrong usage (message on
 * stderr). */
int ctl_mscons(int argc, char **argv);

#endif
