/* The key `sources` of agent.yaml: meters that this gateway reads itself (docs/agent.md,
 * "Sources"). Secrets are read from the files that the keys name. */
#ifndef EMT_AGENT_SOURCE_CONFIG_H
#define EMT_AGENT_SOURCE_CONFIG_H

#include "agent/endpoint.h"
#include "base/attr.h"
#include "base/error.h"
#include "model/obis.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCES_MAX 32
#define SOURCE_NAME_MAX 33
#define SOURCE_PATH_MAX 512
#define SOURCE_COMMANDS_MAX 32
#define SOURCE_COMMAND_MAX 64
#define SOURCE_OBJECTS_MAX 64
#define SOURCE_PROFILES_MAX 4
#define SOURCE_CONNECTIONS_MAX 64

struct yaml;

enum source_type { SOURCE_SML_TCP, SOURCE_IEC62056_21, SOURCE_DLMS_TCP };
enum source_place { SOURCE_CONNECT, SOURCE_LISTEN, SOURCE_DEVICE };

struct source_secret {
    uint8_t bytes[64];
    size_t len; /* 0: none */
};

struct source_sml {
    int64_t silence_ms; /* a file that goes on after this is damaged */
    int64_t idle_ms;    /* a connection without a byte is closed after this */
    unsigned connections;
};

struct source_iec {
    char mode;      /* 'A', 'C' (B too), 'D' */
    unsigned speed; /* fastest, of mode D the one listened at */
    bool eight;     /* 8N1 in the place of 7E1 */
    bool echo;
    char address[33];
    bool program;
    char password_level;
    struct source_secret password;
    char kind[SOURCE_COMMANDS_MAX][3];
    char text[SOURCE_COMMANDS_MAX][SOURCE_COMMAND_MAX];
    unsigned ncommands;
};

struct source_object {
    uint16_t class_id;
    struct obis obis;
};

struct source_profile {
    struct obis obis;
    int64_t range_ms; /* how far back the first reading goes, and any */
};

struct source_dlms {
    bool hdlc;
    uint16_t client, server, physical; /* physical: HDLC only, 0 none */
    uint8_t mechanism;
    bool ciphered;
    struct source_secret password, key, authentication_key;
    uint8_t system_title[8];
    bool has_title;
    char counter_path[SOURCE_PATH_MAX];
    struct obis identity; /* all zero: 0-0:96.1.0, else 0-0:42.0.0 */
    struct source_object objects[SOURCE_OBJECTS_MAX];
    unsigned nobjects;
    struct source_profile profiles[SOURCE_PROFILES_MAX];
    unsigned nprofiles;
};

struct source_config {
    enum source_type type;
    char name[SOURCE_NAME_MAX];
    enum source_place place;
    struct endpoint endpoint; /* connect, listen */
    char device[128];         /* a serial port */
    int64_t interval_ms;      /* between the begins of two readings */
    int64_t timeout_ms; /* of a reading as a whole (IEC), of an answer (DLMS), of connecting */
    struct source_sml sml;
    struct source_iec iec;
    struct source_dlms dlms;
};

struct source_list {
    struct source_config *list;
    size_t n;
};

/* Reads the key from a loaded agent.yaml; absent is an empty list. Relative paths are within dir.
 * Errors name file, line and key. Free with source_list_release() in any case. */
EMT_CHECKED enum emt_err source_list_read(const struct yaml *y, const char *dir,
                                          struct source_list *out, struct emt_diag *diag);
/* The same from DIR/agent.yaml. */
EMT_CHECKED enum emt_err source_list_load(const char *dir, struct source_list *out,
                                          struct emt_diag *diag);
/* Wipes secrets. */
void source_list_release(struct source_list *l);

#endif
