/* emtctl export: market messages written from the database, as a job or the REST interface does. */
#ifndef EMT_CTL_EXPORT_H
#define EMT_CTL_EXPORT_H

/* argv[0] is "export". Exit code: 0 files written, 1 failed or nothing to write, 2 wrong usage. */
int ctl_export(int argc, char **argv);

#endif
