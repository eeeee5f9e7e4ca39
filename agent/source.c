#include "base/clock.h"
#include "base/log.h"
#include "source_internal.h"

#include <stdlib.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

void source_after(struct event *timer, int64_t ms)
{
    struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

    event_add(timer, &tv);
}

void source_put(struct source *s, enum protocol protocol, enum frame_format format,
                const uint8_t *p, size_t n)
{
    s->counters.frames++;
    s->sink.frame(s->sink.ctx, protocol, format, p, n);
}

void source_done(struct source *s)
{
    int64_t left = s->begun_ms + s->config->interval_ms - clock_mono_ms();

    s->counters.readings++;
    backoff_reset(&s->backoff);
    LOG_DEBUG("source-read", LOG_S("source", s->config->name));
    source_after(s->next, left > 0 ? left : 0);
}

void source_failed(struct source *s, const char *reason)
{
    uint32_t wait = backoff_next(&s->backoff);

    s->counters.failures++;
    LOG_WARN("source-failed", LOG_S("source", s->config->name), LOG_S("text", reason),
             LOG_I("again_ms", wait));
    source_after(s->next, wait);
}

static void on_next(evutil_socket_t fd, short what, void *arg)
{
    struct source *s = arg;

    (void)fd;
    (void)what;
    s->begun_ms = clock_mono_ms();
    s->kind->begin(s);
}

static const struct source_kind *kind_of(enum source_type type)
{
    switch (type) {
    case SOURCE_SML_TCP:
        return &source_kind_sml;
    case SOURCE_IEC62056_21:
        return &source_kind_iec;
    case SOURCE_DLMS_TCP:
        return &source_kind_dlms;
    }
    return &source_kind_sml;
}

enum emt_err source_open(const struct source_config *config, struct event_base *base,
                         const struct source_sink *sink, struct source **out, struct emt_diag *diag)
{
    struct source *s = calloc(1, sizeof *s);
    /* An SML line is dialled again at once, a meter that is read when its turn comes. */
    int64_t most = config->type == SOURCE_SML_TCP ? SOURCE_BACKOFF_MOST_MS : config->interval_ms;

    if (!s)
        return emt_fail(diag, EMT_ENOMEM, "out of memory");
    s->config = config;
    s->base = base;
    s->sink = *sink;
    s->kind = kind_of(config->type);
    if (most > SOURCE_BACKOFF_MOST_MS)
        most = SOURCE_BACKOFF_MOST_MS;
    s->backoff.most_ms = (uint32_t)most;
    s->backoff.first_ms = most < SOURCE_BACKOFF_FIRST_MS ? (uint32_t)most : SOURCE_BACKOFF_FIRST_MS;
    s->next = evtimer_new(base, on_next, s);
    enum emt_err err =
        s->next ? s->kind->open(s, diag) : emt_fail(diag, EMT_ENOMEM, "out of memory");
    if (err != EMT_OK) {
        source_free(s);
        return err;
    }
    *out = s;
    return EMT_OK;
}

void source_free(struct source *s)
{
    if (!s)
        return;
    s->kind->close(s);
    if (s->next)
        event_free(s->next);
    free(s);
}

bool source_read_now(struct source *s)
{
    if (s->config->type == SOURCE_SML_TCP)
        return false;
    if (evtimer_pending(s->next, NULL))
        source_after(s->next, 0);
    return true;
}

void source_counters(const struct source *s, struct source_counters *out)
{
    *out = s->counters;
}
