/* Facts of the machine that the agent runs on, for Hello and Status. */
#ifndef EMT_AGENT_HOST_H
#define EMT_AGENT_HOST_H

#include <stddef.h>
#include <stdint.h>

struct host_status {
    uint64_t uptime_s;
    uint32_t load_permille; /* of one core, one minute average */
    uint64_t memory_free_bytes;
    uint64_t disk_free_bytes;
};

/* path: any file on the disk that counts. What cannot be read is 0. */
void host_status_read(const char *path, struct host_status *out);
/* Board name of the device tree or DMI, else the machine type ("x86_64"). Returns buf. */
char *host_hardware(char *buf, size_t size);

#endif
