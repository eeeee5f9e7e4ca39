/* The body of struct api. */
#ifndef EMT_API_API_INTERNAL_H
#define EMT_API_API_INTERNAL_H

#include "api/api.h"
#include "base/clock.h"
#include "http/http_server.h"

#include <pthread.h>

/* Failed logins within LOGIN_WINDOW before further ones are refused unread. */
#define LOGIN_FAILURES_MAX 10
#define LOGIN_WINDOW (5 * EMT_MINUTE)

struct metric;

struct api {
    struct api_settings settings;
    struct http_handler handler;
    struct metric *duration, *answered, *refused, *failed;
    pthread_mutex_t login_mutex; /* guards what follows */
    unsigned login_failures;
    emt_time login_window_start;
};

#endif
