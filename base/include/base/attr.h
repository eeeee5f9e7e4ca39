/* Attributes behind names, so that the rest of the code stays plain C11. */
#ifndef EMT_BASE_ATTR_H
#define EMT_BASE_ATTR_H

/* The caller must look at the result. */
#define EMT_CHECKED __attribute__((warn_unused_result))
/* printf-like: FMT is the index of the format, ARGS of the first value (both from 1). */
#define EMT_PRINTF(FMT, ARGS) __attribute__((format(printf, FMT, ARGS)))
#define EMT_UNUSED __attribute__((unused))

#endif
