/* Any bytes as a file of the market: judged and shown. A clean file can be shown, and every finding
 * has a code, a text and a place in the file. */
#include "connectors/mscons_check.h"
#include "connectors/mscons_show.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    unsigned n;
    bool fault; /* something else than the file name */
};

static void put(void *ctx, const struct mscons_finding *f)
{
    struct seen *seen = ctx;

    if (!f->code || !*f->code || !f->text[0] || memchr(f->text, 0, sizeof(f->text)) == NULL)
        abort();
    seen->n++;
    seen->fault = seen->fault || strcmp(f->code, "NAME") != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = { 0, false };
    struct mscons_findings out = { put, &seen };
    struct mscons_check_result result;
    struct writer json;
    enum emt_err judged = mscons_check(data, size, "name.txt", &out, &result);
    enum emt_err shown;

    writer_init_heap(&json, 1u << 22);
    shown = mscons_show(data, size, &json, NULL);
    if (judged == EMT_OK && result.findings + result.warnings > 0 && seen.n == 0)
        abort();
    if (judged == EMT_OK && !seen.fault && shown != EMT_OK)
        abort();
    writer_release(&json);
    return 0;
}
