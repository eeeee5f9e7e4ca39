/* The status word beside 1.8.0 and 2.8.0. Its layout depends on the family of the meter. */
#ifndef EMT_PARSERS_SML_STATUS_H
#define EMT_PARSERS_SML_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct sml_status {
    bool known;   /* a layout that we read: the rest is set */
    bool exports; /* the sum of active power flows out */
    bool fatal;   /* the meter says that it is broken */
};

/* FNN basic meters mark their layout with 04 in the low byte; other words stay numbers. */
struct sml_status sml_status_of(uint64_t word);
/* The flags that are set, joined by '+'; "" for none or an unknown layout. Cut at size. */
char *sml_status_flags(uint64_t word, char *buf, unsigned size);

#endif
