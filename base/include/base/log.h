/* Structured log lines of a program: text on a terminal, one JSON object per line otherwise.
 *
 * Programs log; libraries below server/ and agent/ return errors instead. Values are never secrets:
 * keys, tokens and telegram plaintext do not appear here. Thread safe: a line is one write(2). */
#ifndef EMT_BASE_LOG_H
#define EMT_BASE_LOG_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_NOTICE,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR
};
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Once at the start of a program, before threads. program: name, borrowed for good. fd: usually 2.
 */
void log_open(const char *program, enum log_level least, enum log_format format, int fd);
bool log_wants(enum log_level level);
/* "debug" … "error"; false when the text is none of them. */
bool log_level_parse(const char *text, enum log_level *out);

/* One field of a line. Make them with LOG_S and LOG_I; NULL text is left out. */
struct log_field {
    const char *key;
    const char *text; /* NULL: the number counts */
    int64_t number;
    bool is_number;
};
#define LOG_S(key, text) ((struct log_field){ (key), (text), 0, false })
#define LOG_I(key, number) ((struct log_field){ (key), NULL, (int64_t)(number), true })

/* event: short constant name ("session-closed"), fields: what, who, why. */
void log_write(enum log_level level, const char *event, const struct log_field *fields, unsigned n);
#define LOG_EVENT(level, event, ...)                                                               \
    do {                                                                                           \
        if (log_wants(level)) {                                                                    \
            const struct log_field log_fields_[] = { __VA_ARGS__ };                                \
            log_write(level, event, log_fields_,                                                   \
                      (unsigned)(sizeof log_fields_ / sizeof log_fields_[0]));                     \
        }                                                                                          \
    } while (0)
#define LOG_DEBUG(event, ...) LOG_EVENT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define LOG_INFO(event, ...) LOG_EVENT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define LOG_NOTICE(event, ...) LOG_EVENT(LOG_LEVEL_NOTICE, event, __VA_ARGS__)
#define LOG_WARN(event, ...) LOG_EVENT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_EVENT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

#endif
