/* Sources against meters that are scripts: what they expect, what they send, and where they fail.
 */
#include "agent/gateway_config.h"
#include "agent/source.h"
#include "base/arena.h"
#include "base/cipher.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/yaml.h"
#include "model/frame_state.h"
#include "parsers/decode.h"

#include <arpa/inet.h>
#include <check.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_S 20

/* ---- a meter: waits for bytes, answers, waits for the next ---- */

struct turn {
    const char *expect; /* text that must arrive; NULL: nothing is waited for */
    const char *reply;  /* as in bytes(): text with {hex} */
};

struct meter {
    struct evconnlistener *listener;
    struct bufferevent *bev;
    const struct turn *turns; /* ended by two NULL */
    size_t at;
    unsigned accepted;
    bool close_at_end;
};

static struct event_base *base;
static struct meter meter;
static char address[64];
static unsigned wanted; /* frames until the loop ends */
static struct {
    enum protocol protocol;
    uint8_t bytes[DECODE_FRAME_MAX];
    size_t len;
} frames[8];
static unsigned nframes;
static char dir[] = "/tmp/emt-source-XXXXXX";

/* Text with {hex} in it as bytes. */
static size_t bytes(const char *text, uint8_t *out, size_t cap)
{
    size_t n = 0;

    while (*text) {
        if (*text == '{') {
            const char *end = strchr(text, '}');
            size_t len = 0;
            ck_assert_ptr_nonnull(end);
            ck_assert_int_eq(hex_decode(text + 1, (size_t)(end - text - 1), out + n, cap - n, &len),
                             EMT_OK);
            n += len;
            text = end + 1;
        } else {
            ck_assert_uint_lt(n, cap);
            out[n++] = (uint8_t)*text++;
        }
    }
    return n;
}

static void play(struct meter *m)
{
    uint8_t buf[8192];

    while (m->turns[m->at].expect || m->turns[m->at].reply) {
        const struct turn *t = &m->turns[m->at];
        struct evbuffer *in = bufferevent_get_input(m->bev);

        if (t->expect) {
            size_t n = bytes(t->expect, buf, sizeof buf);
            if (evbuffer_get_length(in) < n)
                return;
            ck_assert_msg(memcmp(evbuffer_pullup(in, (ssize_t)n), buf, n) == 0,
                          "turn %zu: not what was expected", m->at);
            evbuffer_drain(in, n);
        }
        if (t->reply) {
            size_t n = bytes(t->reply, buf, sizeof buf);
            bufferevent_write(m->bev, buf, n);
        }
        m->at++;
    }
}

static void on_meter_read(struct bufferevent *bev, void *ctx)
{
    (void)bev;
    play(ctx);
}

static void on_meter_written(struct bufferevent *bev, void *ctx)
{
    struct meter *m = ctx;

    if (m->close_at_end && !m->turns[m->at].expect && !m->turns[m->at].reply) {
        bufferevent_free(bev);
        m->bev = NULL;
    }
}

static void on_meter_event(struct bufferevent *bev, short what, void *ctx)
{
    struct meter *m = ctx;

    (void)what;
    bufferevent_free(bev);
    m->bev = NULL;
}

static void on_meter_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *a,
                            int len, void *ctx)
{
    struct meter *m = ctx;

    (void)l;
    (void)a;
    (void)len;
    if (m->bev)
        bufferevent_free(m->bev);
    m->accepted++;
    m->at = 0;
    m->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(m->bev, on_meter_read, on_meter_written, on_meter_event, m);
    bufferevent_enable(m->bev, EV_READ | EV_WRITE);
    play(m);
}

static void start_meter(const struct turn *turns)
{
    struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_storage got;
    socklen_t len = sizeof got;

    memset(&meter, 0, sizeof meter);
    meter.turns = turns;
    meter.listener = evconnlistener_new_bind(base, on_meter_accept, &meter, LEV_OPT_CLOSE_ON_FREE,
                                             4, (struct sockaddr *)&sin6, sizeof sin6);
    if (!meter.listener) /* a machine without IPv6 */
        meter.listener =
            evconnlistener_new_bind(base, on_meter_accept, &meter, LEV_OPT_CLOSE_ON_FREE, 4,
                                    (struct sockaddr *)&sin, sizeof sin);
    ck_assert_ptr_nonnull(meter.listener);
    ck_assert_int_eq(
        getsockname(evconnlistener_get_fd(meter.listener), (struct sockaddr *)&got, &len), 0);
    if (got.ss_family == AF_INET6)
        snprintf(address, sizeof address, "[::1]:%u",
                 ntohs(((struct sockaddr_in6 *)&got)->sin6_port));
    else
        snprintf(address, sizeof address, "127.0.0.1:%u",
                 ntohs(((struct sockaddr_in *)&got)->sin_port));
}

/* ---- the source under test ---- */

static struct source_list list;
static struct source *source;

static void on_frame(void *ctx, enum protocol protocol, enum frame_format format, const uint8_t *p,
                     size_t n)
{
    (void)ctx;
    (void)format;
    ck_assert_uint_le(n, DECODE_FRAME_MAX);
    if (nframes < 8) {
        frames[nframes].protocol = protocol;
        memcpy(frames[nframes].bytes, p, n);
        frames[nframes].len = n;
    }
    if (++nframes >= wanted)
        event_base_loopbreak(base);
}

static enum emt_err configure(const char *text, struct emt_diag *diag)
{
    struct yaml *y = NULL;
    enum emt_err err = yaml_load_text("agent.yaml", text, strlen(text), &y, diag);

    ck_assert_int_eq(err, EMT_OK);
    err = source_list_read(y, dir, &list, diag);
    if (err == EMT_OK)
        err = yaml_unknown(y, diag);
    yaml_free(y);
    return err;
}

static void start_source(const char *more)
{
    struct source_sink sink = { on_frame, NULL };
    char text[2048];
    struct emt_diag diag = { 0 };

    snprintf(text, sizeof text, "sources:\n  - connect: \"%s\"\n%s", address, more);
    ck_assert_msg(configure(text, &diag) == EMT_OK, "%s: %s", diag.key, diag.text);
    ck_assert_int_eq(source_open(&list.list[0], base, &sink, &source, &diag), EMT_OK);
}

static void run_until_frames(unsigned n)
{
    struct timeval limit = { DEADLINE_S, 0 };

    wanted = n;
    if (nframes >= n)
        return;
    event_base_loopexit(base, &limit);
    event_base_dispatch(base);
    ck_assert_msg(nframes >= n, "%u of %u frames in time", nframes, n);
}

/* Turns the loop until the condition holds. */
#define RUN_UNTIL(condition)                                                                       \
    do {                                                                                           \
        int64_t end_ = clock_mono_ms() + DEADLINE_S * 1000;                                        \
        wanted = 1000;                                                                             \
        while (!(condition) && clock_mono_ms() < end_)                                             \
            event_base_loop(base, EVLOOP_ONCE);                                                    \
        ck_assert_msg((condition), "not in time: %s", #condition);                                 \
    } while (0)

static struct source_counters counters(void)
{
    struct source_counters c;

    source_counters(source, &c);
    return c;
}

static void setup(void)
{
    base = event_base_new();
    nframes = 0;
    snprintf(dir, sizeof dir, "/tmp/emt-source-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    char command[128];

    source_free(source);
    source = NULL;
    source_list_release(&list);
    if (meter.bev)
        bufferevent_free(meter.bev);
    if (meter.listener)
        evconnlistener_free(meter.listener);
    memset(&meter, 0, sizeof meter);
    event_base_free(base);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(file_write(path, text, strlen(text), 0600, NULL), EMT_OK);
}

/* ---- what the head-end makes of a frame ---- */

static struct decode_result decoded;
static struct arena *arena;

static void decode(unsigned i)
{
    struct decode_request req = { .protocol = frames[i].protocol,
                                  .format = frames[i].protocol == PROTOCOL_DLMS ? FRAME_FORMAT_NONE
                                                                                : FRAME_FORMAT_AUTO,
                                  .frame = frames[i].bytes,
                                  .len = frames[i].len };

    arena_free(arena);
    arena = arena_new(1 << 20);
    req.arena = arena;
    ck_assert_int_eq(decode_frame(&req, &decoded), EMT_OK);
    ck_assert_msg(decoded.state == FRAME_OK, "%s", decoded.reason);
}

static const struct reading *reading_of(const char *code)
{
    struct obis want;

    ck_assert_int_eq(obis_parse(code, &want), EMT_OK);
    for (unsigned i = 0; i < decoded.nreadings; i++) {
        if (obis_equal(decoded.readings[i].obis, want) &&
            decoded.readings[i].kind == READING_NUMBER)
            return &decoded.readings[i];
    }
    ck_abort_msg("no %s", code);
    return NULL;
}

static void ck_value(const char *code, const char *value, const char *unit)
{
    const struct reading *r = reading_of(code);
    char text[DECIMAL_TEXT_MAX];

    ck_assert_str_eq(decimal_format(r->value, text), value);
    ck_assert_str_eq(r->unit, unit);
}

/* ---- SML ---- */

/* An SML file as a meter sends it, one of ours (tests/corpus/sml/files.txt). */
#define SML_FILE                                                                                   \
    "{1b1b1b1b010101017605000001016200620072630101760101050000002a0b0a01454d540000bc614e726201"    \
    "6500013c680163245600760500000102620062007263070177010b0a01454d540000bc614e070100620affff"     \
    "7262016500013c687877070100603201010101010104454d540177070100600100ff010101010b0a01454d54"     \
    "0000bc614e0177070100010800ff641c010401621e52ff5900000000499602d20177070100020800ff010162"     \
    "1e52ff59000000000034bf150177070100100700ff0101621b520055000010e10177070100240700ff010162"     \
    "1b520055000005780177070100380700ff0101621b5200550000058d01770701004c0700ff0101621b520055"     \
    "000005dc01010163943a007605000001036200620072630201710163fd6300001b1b1b1b1a012e47}"

START_TEST(garbage_and_cuts_between_sml_files_are_counted_and_passed_over)
{
    static const struct turn turns[] = {
        { NULL, "{00ff1b1b}noise" },
        { NULL, SML_FILE },
        { NULL, "{1b1b1b1b 01010101 7605 0102}" }, /* cut: the next start follows */
        { NULL, SML_FILE },
        { NULL, NULL },
    };

    start_meter(turns);
    start_source("    type: sml-tcp\n    silence: 100ms\n");
    run_until_frames(2);
    ck_assert_int_eq(frames[0].protocol, PROTOCOL_SML);
    decode(1);
    ck_value("1-0:1.8.0", "123456789.0", "Wh");
    RUN_UNTIL(counters().lost == 9 + 12);
    ck_assert_uint_eq(counters().frames, 2);
    ck_assert_uint_eq(counters().damaged, 1);
}
END_TEST

START_TEST(a_file_with_a_wrong_checksum_is_lost_and_a_dead_line_is_dialled_again)
{
    static const struct turn turns[] = {
        { NULL, "{1b1b1b1b 01010101 76000000 1b1b1b1b 1a00dead}" },
        { NULL, SML_FILE },
        { NULL, NULL },
    };

    start_meter(turns);
    meter.close_at_end = true;
    start_source("    type: sml-tcp\n");
    run_until_frames(1);
    run_until_frames(2); /* of the second connection */
    ck_assert_uint_ge(meter.accepted, 2);
    ck_assert_uint_ge(counters().failures, 1);
    ck_assert_uint_ge(counters().damaged, 1);
}
END_TEST

static int dial(unsigned port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    return fd;
}

static unsigned free_port(void)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    close(fd);
    return ntohs(sin.sin_port);
}

START_TEST(a_listening_source_takes_so_many_connections_and_no_more)
{
    struct source_sink sink = { on_frame, NULL };
    char text[256];
    uint8_t file[1024];
    size_t n = bytes(SML_FILE, file, sizeof file);
    unsigned port = free_port();
    int one, two, three;

    snprintf(text, sizeof text,
             "sources:\n  - type: sml-tcp\n    listen: \"127.0.0.1:%u\"\n    connections: 2\n",
             port);
    ck_assert_int_eq(configure(text, NULL), EMT_OK);
    ck_assert_int_eq(source_open(&list.list[0], base, &sink, &source, NULL), EMT_OK);
    one = dial(port);
    two = dial(port);
    three = dial(port);
    RUN_UNTIL(counters().refused == 1);
    ck_assert_uint_eq(counters().connected, 2);
    ck_assert_int_eq(write(one, file, 100), 100);
    ck_assert_int_eq(write(two, file, n), (ssize_t)n);
    RUN_UNTIL(nframes == 1);
    ck_assert_int_eq(write(one, file + 100, n - 100), (ssize_t)(n - 100));
    RUN_UNTIL(nframes == 2); /* pieces of two lines are not mixed */
    close(one);
    RUN_UNTIL(counters().connected == 1);
    close(two);
    close(three);
}
END_TEST

START_TEST(an_address_in_use_is_told)
{
    struct source_sink sink = { on_frame, NULL };
    struct emt_diag diag = { 0 };
    char text[256];

    start_meter((const struct turn[]){ { NULL, NULL } });
    snprintf(text, sizeof text, "sources:\n  - type: sml-tcp\n    name: hall\n    listen: \"%s\"\n",
             address);
    ck_assert_int_eq(configure(text, NULL), EMT_OK);
    ck_assert_int_eq(source_open(&list.list[0], base, &sink, &source, &diag), EMT_EIO);
    ck_assert_ptr_nonnull(strstr(diag.text, "source hall: cannot listen on"));
}
END_TEST

/* ---- IEC 62056-21 ---- */

/* The check of STX to ETX is the last byte (6.3.13.3). */
#define IEC_DATA "{02}0.0.0(12345678){0d0a}1.8.0(0000123.4*kWh){0d0a}!{0d0a 03}"

static char *with_check(const char *text, char *out, size_t size)
{
    uint8_t p[4096], bcc = 0;
    size_t n = bytes(text, p, sizeof p);

    for (size_t i = 1; i < n; i++)
        bcc ^= p[i];
    snprintf(out, size, "%s{%02x}", text, bcc);
    return out;
}

START_TEST(a_meter_in_mode_c_is_read_out)
{
    char data[256];
    struct turn turns[] = {
        { "/?!\r\n", "/EMH4METER\r\n" },
        { "{06}000\r\n", with_check(IEC_DATA, data, sizeof data) }, /* TCP stays at 300 */
        { NULL, NULL },
    };

    start_meter(turns);
    start_source("    type: iec62056-21\n");
    run_until_frames(1);
    ck_assert_int_eq(frames[0].protocol, PROTOCOL_IEC62056_21);
    decode(0);
    ck_value("1-0:1.8.0", "123.4", "kWh");
    RUN_UNTIL(counters().readings == 1);
    ck_assert_uint_eq(counters().failures, 0);
}
END_TEST

START_TEST(a_wrong_block_check_is_asked_for_again)
{
    char data[256];
    struct turn turns[] = {
        { "/?17!\r\n", "/EMH4METER\r\n" },
        { "{06}000\r\n", IEC_DATA "{7f}" },
        { "{15}", with_check(IEC_DATA, data, sizeof data) },
        { NULL, NULL },
    };

    start_meter(turns);
    start_source("    type: iec62056-21\n    address: \"17\"\n");
    run_until_frames(1);
    decode(0);
}
END_TEST

START_TEST(a_read_out_that_breaks_off_fails_and_is_tried_again)
{
    char data[256];
    struct turn cut[] = {
        { "/?!\r\n", "/EMH4METER\r\n" },
        { "{06}000\r\n", "{02}0.0.0(1234" },
        { NULL, NULL },
    };
    struct turn whole[] = {
        { "/?!\r\n", "/EMH4METER\r\n" },
        { "{06}000\r\n", with_check(IEC_DATA, data, sizeof data) },
        { NULL, NULL },
    };

    start_meter(cut);
    meter.close_at_end = true;
    start_source("    type: iec62056-21\n");
    RUN_UNTIL(counters().failures == 1);
    ck_assert_uint_eq(nframes, 0);
    meter.turns = whole;
    meter.close_at_end = false;
    run_until_frames(1);
}
END_TEST

START_TEST(a_pushing_meter_is_listened_to)
{
    static const struct turn turns[] = {
        { NULL, "(cut*kWh)\r\n!\r\n" }, /* the end of the telegram before */
        { NULL, "/ABC5METER\r\n\r\n1-0:0.0.0(12345678)\r\n1-0:1.8.0(000001.5*kWh)\r\n!\r\n" },
        { NULL, NULL },
    };

    start_meter(turns);
    start_source("    type: iec62056-21\n    mode: D\n");
    run_until_frames(1);
    decode(0);
    ck_value("1-0:1.8.0", "1.5", "kWh");
}
END_TEST

START_TEST(commands_behind_a_password_become_one_read_out)
{
    char prompt[64], serial[64], energy[64], refused[64];
    struct turn turns[] = {
        { "/?!\r\n", "/EMH4METER\r\n" },
        { "{06}001\r\n", with_check("{01}P0{02}(){03}", prompt, sizeof prompt) },
        { "{01}P1{02}(00000000){03 61}", "{06}" },
        { "{01}R5{02}0.0.0(){03 57}",
          with_check("{02}0.0.0(12345678){03}", serial, sizeof serial) },
        { "{01}R5{02}1.8.0(){03 5e}",
          with_check("{02}(0000123.4*kWh){03}", energy, sizeof energy) },
        { "{01}R5{02}9.9.9(){03 5e}", with_check("{02}(ER23){03}", refused, sizeof refused) },
        { "{01}B0{03 71}", NULL },
        { NULL, NULL },
    };

    start_meter(turns);
    write_file("password", "00000000\n");
    start_source("    type: iec62056-21\n    password_file: password\n"
                 "    commands: [\"R5 0.0.0()\", \"R5 1.8.0()\", \"R5 9.9.9()\"]\n");
    run_until_frames(1);
    decode(0);
    ck_value("1-0:1.8.0", "123.4", "kWh");
    RUN_UNTIL(counters().readings == 1 && meter.at == 7);
}
END_TEST

START_TEST(a_wrong_password_gives_no_frame)
{
    char prompt[64], error[64];
    struct turn turns[] = {
        { "/?!\r\n", "/EMH4METER\r\n" },
        { "{06}001\r\n", with_check("{01}P0{02}(){03}", prompt, sizeof prompt) },
        { "{01}P1{02}(1){03 50}", with_check("{02}(ER10){03}", error, sizeof error) },
        { NULL, NULL },
    };

    start_meter(turns);
    write_file("password", "1");
    start_source("    type: iec62056-21\n    password_file: password\n"
                 "    commands: [\"R5 1.8.0()\"]\n");
    RUN_UNTIL(counters().failures == 1);
    ck_assert_uint_eq(nframes, 0);
}
END_TEST

START_TEST(a_silent_meter_is_given_up)
{
    static const struct turn turns[] = { { "/?!\r\n", NULL }, { NULL, NULL } };

    start_meter(turns);
    start_source("    type: iec62056-21\n    timeout: 200ms\n");
    RUN_UNTIL(counters().failures == 2);
    ck_assert_uint_ge(meter.accepted, 1);
}
END_TEST

/* ---- DLMS ---- */

#define TO_METER(len) "{0001 0010 0001 " len "}"
#define FROM_METER(len) "{0001 0001 0010 " len "}"
/* The Green Book's association with the password 12345678, and its answer. */
#define AARQ                                                                                       \
    TO_METER("0038")                                                                               \
    "{6036a1090607608574050801018a0207808b0760857405080201ac0a8008 3132333435363738"               \
    "be10040e01000000065f1f0400007e1f04b0}"
#define AARE                                                                                       \
    FROM_METER("002b")                                                                             \
    "{6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000501f01f40007}"
#define GET(class_, code, attribute)                                                               \
    TO_METER("000d") "{c001c1 " class_ " " code " " attribute " 00}"
#define LOW "    type: dlms-tcp\n    authentication: low\n    password_file: password\n"

static const struct turn plain_reading[] = {
    { AARQ, AARE },
    { GET("0001", "0000600100ff", "02"),
      FROM_METER("0012") "{c401c100 090c 31454d483030313233343536}" },
    { GET("0003", "0100010800ff", "03"), FROM_METER("000a") "{c401c100 0202 0f01 161e}" },
    { GET("0003", "0100010800ff", "02"), FROM_METER("0009") "{c401c100 06 00001391}" },
    { GET("0003", "0100020800ff", "03"), FROM_METER("000a") "{c401c100 0202 0f01 161e}" },
    { GET("0003", "0100020800ff", "02"), FROM_METER("0005") "{c401c10103}" }, /* no right to it */
    { TO_METER("0005") "{6203800100}", FROM_METER("0005") "{6303800100}" },
    { NULL, NULL },
};

START_TEST(objects_are_read_with_their_scale_under_the_meters_number)
{
    start_meter(plain_reading);
    write_file("password", "12345678");
    start_source(LOW "    objects: [\"3 1-0:1.8.0*255\", \"3 1-0:2.8.0*255\"]\n");
    run_until_frames(1);
    decode(0);
    ck_assert(decoded.has_device);
    ck_value("1-0:1.8.0", "50090", "Wh");
    RUN_UNTIL(counters().readings == 1);
}
END_TEST

START_TEST(a_refused_password_is_tried_again_later)
{
    static const struct turn turns[] = {
        { AARQ, FROM_METER("0019") "{6117a109060760857405080101a203020101a305a10302010d}" },
        { NULL, NULL },
    };

    start_meter(turns);
    write_file("password", "12345678");
    start_source(LOW "    objects: [\"3 1-0:1.8.0*255\"]\n");
    RUN_UNTIL(counters().failures == 2);
    ck_assert_uint_eq(nframes, 0);
    ck_assert_uint_eq(meter.accepted, 2);
}
END_TEST

START_TEST(answers_that_break_the_rules_end_a_reading)
{
    static const struct turn cases[][4] = {
        { { AARQ, "{00ff}garbage" }, { NULL, NULL } },
        { { AARQ, AARE },
          { GET("0001", "0000600100ff", "02"), FROM_METER("0000") },
          { NULL, NULL } },
        { { AARQ, AARE },
          { GET("0001", "0000600100ff", "02"), FROM_METER("0005") "{c501c10103}" },
          { NULL, NULL } },
        { { AARQ, AARE },
          { GET("0001", "0000600100ff", "02"), FROM_METER("0005") "{c401c1010d}" },
          { GET("0001", "00002a0000ff", "02"), FROM_METER("0005") "{c401c1010d}" },
          { NULL, NULL } },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (i > 0) {
            teardown();
            setup();
        }
        start_meter(cases[i]);
        write_file("password", "12345678");
        start_source(LOW "    objects: [\"3 1-0:1.8.0*255\"]\n");
        RUN_UNTIL(counters().failures == 1);
        ck_assert_uint_eq(nframes, 0);
    }
}
END_TEST

START_TEST(a_meter_that_goes_silent_or_leaves_fails_the_reading)
{
    static const struct turn turns[] = { { AARQ, AARE }, { NULL, NULL } };

    start_meter(turns);
    write_file("password", "12345678");
    start_source(LOW "    timeout: 100ms\n    objects: [\"3 1-0:1.8.0*255\"]\n");
    RUN_UNTIL(counters().failures == 1);
    meter.close_at_end = true;
    RUN_UNTIL(counters().failures == 2);
}
END_TEST

static unsigned long stored_counter(void)
{
    char path[128], *text = NULL;
    size_t n = 0;

    snprintf(path, sizeof path, "%s/feeder.counter", dir);
    if (file_read(path, 32, &text, &n, NULL) != EMT_OK)
        return 0;
    unsigned long v = strtoul(text, NULL, 10);
    free(text);
    return v;
}

static void start_gmac_source(void)
{
    write_file("ek", "000102030405060708090a0b0c0d0e0f\n");
    write_file("ak", "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf\n");
    start_source("    name: feeder\n    type: dlms-tcp\n    authentication: gmac\n"
                 "    key_file: ek\n    authentication_key_file: ak\n"
                 "    system_title: 454d540000000001\n    objects: [\"3 1-0:1.8.0*255\"]\n");
}

/* A nonce that comes twice gives the key away. */
START_TEST(invocation_counters_are_set_aside_before_they_are_used)
{
    static const struct turn turns[] = { { NULL, NULL } }; /* takes the request, says nothing */
    unsigned long first, aside;

    start_meter(turns);
    write_file("feeder.counter", "1000\n");
    start_gmac_source();
    RUN_UNTIL(meter.bev && evbuffer_get_length(bufferevent_get_input(meter.bev)) > 100);
    aside = stored_counter();
    ck_assert_uint_gt(aside, 1001); /* a crash now begins above all that was used */
    bufferevent_free(meter.bev);
    meter.bev = NULL;
    RUN_UNTIL(counters().failures == 1);
    first = stored_counter();
    ck_assert_uint_gt(first, 1000);
    ck_assert_uint_lt(first, aside);
    RUN_UNTIL(meter.accepted == 2 && stored_counter() > aside);
}
END_TEST

START_TEST(a_counter_that_cannot_be_read_or_stored_keeps_the_meter_unread)
{
    static const struct turn turns[] = { { NULL, NULL } };
    static const char *const bad[] = { "", "abc\n", "-\n", "4294967295\n", "4294967290\n" };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (i > 0) {
            teardown();
            setup();
        }
        start_meter(turns);
        write_file("feeder.counter", bad[i]);
        start_gmac_source();
        RUN_UNTIL(counters().failures == 1);
        ck_assert_uint_eq(counters().readings, 0);
        ck_assert_msg(!meter.bev || evbuffer_get_length(bufferevent_get_input(meter.bev)) == 0,
                      "\"%s\": a request was sent", bad[i]);
    }
}
END_TEST

/* ---- configuration ---- */

START_TEST(configuration_errors_name_file_line_and_key)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *key, *says;
    } cases[] = {
        { "sources:\n  - type: sml\n", 2, "type", "sml-tcp, iec62056-21 or dlms-tcp" },
        { "sources:\n  - name: x\n", 2, "", "type is missing" },
        { "sources:\n  - type: sml-tcp\n", 2, "", "one of connect and listen" },
        { "sources:\n  - type: sml-tcp\n    connect: a:1\n    listen: b:2\n", 2, "", "one of" },
        { "sources:\n  - type: sml-tcp\n    connect: nowhere\n", 3, "connect", "host:port" },
        { "sources:\n  - type: sml-tcp\n    connect: a:1\n    baud: 9600\n", 4, "baud", "" },
        { "sources:\n  - type: sml-tcp\n    connect: a:1\n    connections: 0\n", 4, "connections",
          "" },
        { "sources:\n  - type: iec62056-21\n    connect: a:1\n    mode: E\n", 4, "mode",
          "A, C or D" },
        { "sources:\n  - type: iec62056-21\n    connect: a:1\n    speed: 1000\n", 4, "speed", "" },
        { "sources:\n  - type: iec62056-21\n    connect: a:1\n    commands: [\"W5 1(2)\"]\n", 4,
          "commands", "reading command" },
        { "sources:\n  - type: iec62056-21\n    connect: a:1\n    password_file: none\n", 4,
          "password_file", "cannot be read" },
        { "sources:\n  - type: dlms-tcp\n    connect: a:1\n", 2, "", "objects or profiles" },
        { "sources:\n  - type: dlms-tcp\n    connect: a:1\n    authentication: gmac\n", 2, "",
          "key_file" },
        { "sources:\n  - type: dlms-tcp\n    connect: a:1\n    objects: [\"1.8.0\"]\n", 4,
          "objects", "class" },
        { "sources:\n  - type: dlms-tcp\n    connect: a:1\n    system_title: abc\n", 4,
          "system_title", "8 bytes" },
        { "sources: []\n", 1, "sources", "1 to 32" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct emt_diag diag = { 0 };

        ck_assert_msg(configure(cases[i].text, &diag) == EMT_EMALFORMED, "%s", cases[i].text);
        ck_assert_str_eq(diag.file, "agent.yaml");
        ck_assert_msg(diag.line == cases[i].line, "%s: line %u", cases[i].text, diag.line);
        ck_assert_msg(strstr(diag.key, cases[i].key) != NULL, "%s: key %s", cases[i].text,
                      diag.key);
        ck_assert_msg(strstr(diag.text, cases[i].says) != NULL, "%s: %s", cases[i].text, diag.text);
        source_list_release(&list);
    }
}
END_TEST

START_TEST(two_sources_of_one_name_are_refused)
{
    struct emt_diag diag = { 0 };

    ck_assert_int_eq(configure("sources:\n  - type: sml-tcp\n    name: a\n    connect: b:1\n"
                               "  - type: sml-tcp\n    name: a\n    connect: b:2\n",
                               &diag),
                     EMT_EMALFORMED);
    ck_assert_uint_eq(diag.line, 6);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("source");
    TCase *t = tcase_create("sources");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 90);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, garbage_and_cuts_between_sml_files_are_counted_and_passed_over);
    tcase_add_test(t, a_file_with_a_wrong_checksum_is_lost_and_a_dead_line_is_dialled_again);
    tcase_add_test(t, a_listening_source_takes_so_many_connections_and_no_more);
    tcase_add_test(t, an_address_in_use_is_told);
    tcase_add_test(t, a_meter_in_mode_c_is_read_out);
    tcase_add_test(t, a_wrong_block_check_is_asked_for_again);
    tcase_add_test(t, a_read_out_that_breaks_off_fails_and_is_tried_again);
    tcase_add_test(t, a_pushing_meter_is_listened_to);
    tcase_add_test(t, commands_behind_a_password_become_one_read_out);
    tcase_add_test(t, a_wrong_password_gives_no_frame);
    tcase_add_test(t, a_silent_meter_is_given_up);
    tcase_add_test(t, objects_are_read_with_their_scale_under_the_meters_number);
    tcase_add_test(t, a_refused_password_is_tried_again_later);
    tcase_add_test(t, answers_that_break_the_rules_end_a_reading);
    tcase_add_test(t, a_meter_that_goes_silent_or_leaves_fails_the_reading);
    tcase_add_test(t, invocation_counters_are_set_aside_before_they_are_used);
    tcase_add_test(t, a_counter_that_cannot_be_read_or_stored_keeps_the_meter_unread);
    tcase_add_test(t, configuration_errors_name_file_line_and_key);
    tcase_add_test(t, two_sources_of_one_name_are_refused);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    arena_free(arena);
    return failed ? 1 : 0;
}
