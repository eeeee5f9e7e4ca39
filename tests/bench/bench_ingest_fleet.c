#include "bench_ingest_fleet.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The set-up (server, tenants, enrolment) is that of the end-to-end tests, in their language; the
 * load is bench_ingest_load.c. */
int bench_ingest_fleet(unsigned gateways, unsigned tenants, unsigned rate, unsigned seconds)
{
    char folder[PATH_MAX] = "", numbers[4][16];
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);

    if (n > 0 && strrchr(folder, '/'))
        *strrchr(folder, '/') = '\0';
    snprintf(numbers[0], sizeof numbers[0], "%u", gateways);
    snprintf(numbers[1], sizeof numbers[1], "%u", tenants);
    snprintf(numbers[2], sizeof numbers[2], "%u", rate);
    snprintf(numbers[3], sizeof numbers[3], "%u", seconds);
    setenv("EMT_BUILD", folder, 1);
    execlp("python3", "python3", EMT_BENCH_FOLDER "/ingest_fleet.py", numbers[0], numbers[1],
           numbers[2], numbers[3], (char *)NULL);
    perror("emt-bench ingest: python3");
    return 1;
}
