/* The body of struct api. */
#ifndef EMT_API_API_INTERNAL_H
#define EMT_API_API_INTERNAL_H

#include "api/api.h"
#include "api_audit.h"
#include "base/clock.h"
#include "http/http_server.h"

struct event_hub;
struct share_book;
struct metric;

struct api {
    struct api_settings settings;
    struct http_handler handler;
    struct event_hub *hub;
    struct share_book *shares;
    struct read_log reads;
    struct metric *duration, *answered, *refused, *failed;
};

#endif
