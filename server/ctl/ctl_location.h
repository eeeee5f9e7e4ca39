/* emtctl location: erasing what was measured at a place of the market. */
#ifndef EMT_CTL_CTL_LOCATION_H
#define EMT_CTL_CTL_LOCATION_H

/* argv[0] is "location". Exit code of the program. */
int ctl_location(int argc, char **argv);

#endif
