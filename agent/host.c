#include "agent/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

/* Last: banned functions do not compile from here on. */
#include "base/banned.h"

static uint64_t memory_available(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/meminfo", "re");

    if (!f)
        return 0;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "MemAvailable:", 13) == 0) {
            kib = strtoull(line + 13, NULL, 10);
            break;
        }
    }
    fclose(f);
    return kib * 1024;
}

void host_status_read(const char *path, struct host_status *out)
{
    struct sysinfo info;
    struct statvfs disk;
    double load[1];

    memset(out, 0, sizeof *out);
    if (sysinfo(&info) == 0)
        out->uptime_s = (uint64_t)info.uptime;
    if (getloadavg(load, 1) == 1)
        out->load_permille = (uint32_t)(load[0] * 1000.0);
    out->memory_free_bytes = memory_available();
    if (statvfs(path, &disk) == 0)
        out->disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
}

static size_t read_line(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n = 0;

    if (!f)
        return 0;
    if (fgets(buf, (int)size, f))
        n = strcspn(buf, "\n");
    fclose(f);
    for (size_t i = 0; i < n; i++) { /* device trees may hold anything; Hello wants UTF-8 */
        if ((unsigned char)buf[i] < ' ' || (unsigned char)buf[i] > '~')
            n = i;
    }
    buf[n] = '\0';
    return n;
}

char *host_hardware(char *buf, size_t size)
{
    struct utsname names;

    if (read_line("/proc/device-tree/model", buf, size) ||
        read_line("/sys/class/dmi/id/board_name", buf, size))
        return buf;
    snprintf(buf, size, "%s", uname(&names) == 0 ? names.machine : "");
    return buf;
}
