/* Any bytes as an answer of a partner. What is told has an interchange, texts that end, and a place
 * that fits its level; a file that was read as a whole said something. */
#include "connectors/acknowledgement.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ends(const char *text, size_t size)
{
    if (memchr(text, 0, size) == NULL)
        abort();
}

static enum emt_err count(void *ctx, const struct acknowledgement_note *n)
{
    unsigned *seen = ctx;

    ends(n->interchange, sizeof n->interchange);
    ends(n->message, sizeof n->message);
    ends(n->document, sizeof n->document);
    ends(n->code, sizeof n->code);
    ends(n->segment, sizeof n->segment);
    ends(n->text, sizeof n->text);
    if (n->level == ACKNOWLEDGES_ELEMENT && n->segment[0] == '\0')
        abort();
    if (++*seen > ACKNOWLEDGEMENT_NOTES_MAX)
        abort();
    return EMT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned seen = 0;
    struct acknowledgement_handler h = { count, &seen };
    struct acknowledgement_head head;
    struct emt_diag diag = { 0 };
    enum emt_err err = acknowledgement_read(data, size, &h, &head, &diag);

    if (err == EMT_OK && (seen == 0 || head.sender[0] == '\0' || head.reference[0] == '\0'))
        abort();
    if (err != EMT_OK && err != EMT_ENOMEM && diag.text[0] == '\0')
        abort();
    return 0;
}
