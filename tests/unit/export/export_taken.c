#include "export_taken.h"

#include "connectors/mscons_check.h"
#include "connectors/mscons_show.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum emt_err take_file(void *ctx, int64_t file_id, const char *name, const void *content,
                              size_t len, int messages)
{
    struct taken *t = ctx;
    unsigned i = t->files++;

    ck_assert_uint_lt(i, FILES_MAX);
    t->id[i] = file_id;
    snprintf(t->name[i], sizeof t->name[i], "%s", name);
    t->content[i] = calloc(1, len + 1);
    if (len > 0)
        memcpy(t->content[i], content, len);
    t->len[i] = len;
    t->messages[i] = messages;
    return t->answer;
}

static void take_note(void *ctx, const char *text)
{
    struct taken *t = ctx;
    size_t n = strlen(t->notes);

    snprintf(t->notes + n, sizeof t->notes - n, "%s\n", text);
}

void taken_run(struct store *s, const struct mscons_export_request *req, struct taken *t)
{
    struct mscons_export_handler h = { .file = take_file, .note = take_note, .ctx = t };

    t->err = mscons_export_run(s, req, &h, &t->diag);
    /* Whatever came out: the connection is ready for the next one. */
    ck_assert_int_eq(store_begin(s, req->tenant), EMT_OK);
    store_rollback(s);
}

void taken_drop(struct taken *t)
{
    for (unsigned i = 0; i < t->files; i++)
        free(t->content[i]);
    memset(t, 0, sizeof *t);
}

static void put_finding(void *ctx, const struct mscons_finding *f)
{
    (void)ctx;
    fprintf(stderr, "%u: %s: %s\n", f->segment, f->code, f->text);
}

/* Other readers look at what the tests write. */
static void leave(const struct taken *t, unsigned i)
{
    const char *folder = getenv("EMT_EXPORT_KEEP");
    char path[512];

    if (folder == NULL)
        return;
    /* Tenants of different tests may send under one name. */
    snprintf(path, sizeof path, "%s/%d-%" PRId64, folder, (int)getpid(), t->id[i]);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/%d-%" PRId64 "/%s", folder, (int)getpid(), t->id[i],
             t->name[i]);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(t->content[i], 1, t->len[i], f), t->len[i]);
    ck_assert_int_eq(fclose(f), 0);
}

json_t *taken_judged(struct pg_fixture *f, const struct taken *t, unsigned i)
{
    struct mscons_findings out = { put_finding, NULL };
    struct mscons_check_result result;
    struct writer text;
    char sql[600];

    ck_assert_int_eq(mscons_check(t->content[i], t->len[i], t->name[i], &out, &result), EMT_OK);
    ck_assert_uint_eq(result.findings, 0);
    ck_assert_uint_eq(result.warnings, 0);
    ck_assert_uint_eq(result.messages, (unsigned)t->messages[i]);
    snprintf(sql, sizeof sql, "select length(content) from export_file where file_id = %" PRId64,
             t->id[i]);
    ck_assert_int_eq(pg_fixture_number(f, sql), (int64_t)t->len[i]);
    /* Each message stands where its row says. */
    snprintf(sql, sizeof sql,
             "select count(*) from (select nth, convert_from(substr(f.content, content_at + 1,"
             " content_len), 'LATIN1') as text from export_message m"
             " join export_file f using (tenant_id, file_id) where file_id = %" PRId64 ") x"
             " where text like 'UNH+' || nth || '+MSCONS%%' and"
             " text ~ (chr(39) || 'UNT[+][0-9]+[+]' || nth || chr(39) || '$')",
             t->id[i]);
    ck_assert_int_eq(pg_fixture_number(f, sql), t->messages[i]);
    leave(t, i);
    writer_init_heap(&text, 1u << 20);
    ck_assert_int_eq(mscons_show(t->content[i], t->len[i], &text, NULL), EMT_OK);
    json_t *j = json_loads(writer_cstr(&text), 0, NULL);
    writer_release(&text);
    ck_assert_ptr_nonnull(j);
    return j;
}

const json_t *taken_line(const json_t *file, size_t message, size_t line)
{
    json_t *m = json_array_get(json_object_get(file, "messages"), message);

    ck_assert_ptr_nonnull(m);
    json_t *l = json_array_get(json_object_get(m, "lines"), line);
    ck_assert_ptr_nonnull(l);
    return l;
}

void taken_check_line(const json_t *l, const char *obis, int n, const char *sum)
{
    struct decimal is, expected;
    const char *text = json_string_value(json_object_get(l, "sum"));

    ck_assert_str_eq(json_string_value(json_object_get(l, "obis")), obis);
    ck_assert_int_eq(json_integer_value(json_object_get(l, "n")), n);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(decimal_parse(text, strlen(text), &is), EMT_OK);
    ck_assert_int_eq(decimal_parse(sum, strlen(sum), &expected), EMT_OK);
    ck_assert_msg(decimal_compare(is, expected) == 0, "sum %s, expected %s", text, sum);
}

const char *kwh(int64_t wh, char buf[32])
{
    snprintf(buf, 32, "%" PRId64 ".%03d", wh / 1000, (int)(wh % 1000));
    return buf;
}
