#include "export_judge.h"

#include "connectors/mscons_check.h"

#include <signal.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static void pass_over(void *ctx, const struct mscons_finding *f)
{
    (void)ctx;
    (void)f;
}

static void *judge(void *arg)
{
    struct export_judge *j = arg;
    struct mscons_findings out = { pass_over, NULL };
    struct mscons_check_result result;

    j->err = mscons_check(j->data, j->len, j->name, &out, &result);
    j->findings = result.findings;
    return NULL;
}

void judge_begin(struct export_judge *j, const void *data, size_t len, const char *name)
{
    sigset_t all, before;

    *j = (struct export_judge){ .data = data, .len = len, .name = name };
    /* Signals are for the threads that wait for them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    j->alone = pthread_create(&j->thread, NULL, judge, j) != 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

enum emt_err judge_end(struct export_judge *j, unsigned *findings)
{
    if (j->alone)
        (void)judge(j);
    else
        (void)pthread_join(j->thread, NULL);
    *findings = j->findings;
    return j->err;
}
