/* A cluster that was made once, kept in the build folder for all test programs: making one and
 * applying the migrations takes longer than most tests. */
#ifndef EMT_TESTS_PG_TEMPLATE_H
#define EMT_TESTS_PG_TEMPLATE_H

#include <stdbool.h>

/* Others wait until it is given back with pg_template_unlock(). -1: the folder is not writable,
 * there is no template. */
int pg_template_lock(void);
void pg_template_unlock(int lock);

/* Copies it to the folder data, which must not exist. False: there is none, or it was made of other
 * migrations, with another server (bin: folder of its programs) or on another day: partitions are
 * of days. Both under the lock. */
bool pg_template_take(const char *bin, const char *data);
/* Keeps a copy of data, whose server must be stopped, in the place of what was there. */
void pg_template_keep(const char *bin, const char *data);

#endif
