/* Whether each segment stands where the MIG puts it: its place in the branching diagram and its
 * order there make a number that grows through the message, but where a group comes again. */
#include "mscons/mscons_checker.h"

#include <string.h>

#define KEY(place, order) MESSAGE_KEY(place, order)

unsigned mscons_order_in(const char *list, const char *code)
{
    unsigned n = 1;
    size_t len = strlen(code);

    for (const char *p = list; *p; n++) {
        size_t l = strcspn(p, " ");

        if (l == len && memcmp(p, code, l) == 0)
            return n;
        p += l;
        p += strspn(p, " ");
    }
    return 0;
}

static unsigned time_key(const struct checker *c, const char *qualifier)
{
    enum message_place at = (enum message_place)(c->msg.key / 16u);

    if (at < AT_UNS)
        return strcmp(qualifier, "293") == 0 && at == AT_REFERENCE ? KEY(AT_REFERENCE, 2)
                                                                   : KEY(AT_DATE, 0);
    if (at < AT_QUANTITY)
        return KEY(AT_PERIOD, mscons_order_in("163 164 492 293 157", qualifier));
    if (strcmp(qualifier, "163") == 0) /* the two that stand at most values */
        return KEY(AT_TIME, 1);
    if (strcmp(qualifier, "164") == 0)
        return KEY(AT_TIME, 2);
    return KEY(AT_TIME, mscons_order_in("163 164 9 7 60 306", qualifier));
}

static unsigned party_key(const char *role)
{
    if (strcmp(role, "MS") == 0)
        return KEY(AT_SENDER, 0);
    if (strcmp(role, "MR") == 0)
        return KEY(AT_RECIPIENT, 0);
    return KEY(AT_PARTY, 0);
}

static unsigned reference_key(const struct checker *c, const char *qualifier)
{
    if (c->msg.key < KEY(AT_UNS, 0)) {
        unsigned order = mscons_order_in("AGI ACW Z30 Z13", qualifier);

        /* 2 is left for the DTM behind AGI. */
        return KEY(AT_REFERENCE, order <= 1 ? order : order + 1);
    }
    return KEY(AT_DETAIL, mscons_order_in("MG AGK", qualifier));
}

unsigned mscons_order_key(const struct checker *c)
{
    const char *code = edi_value(&c->seg, 1, 1);

    if (edi_is(&c->seg, "QTY"))
        return KEY(AT_QUANTITY, 0);
    if (edi_is(&c->seg, "DTM"))
        return time_key(c, code);
    if (edi_is(&c->seg, "STS"))
        return KEY(AT_STATUS, mscons_order_in("Z33 Z32 Z34 Z40 Z31 10", code));
    if (edi_is(&c->seg, "LIN"))
        return KEY(AT_LINE, 0);
    if (edi_is(&c->seg, "PIA"))
        return KEY(AT_PRODUCT, 0);
    if (edi_is(&c->seg, "BGM"))
        return KEY(AT_BGM, 0);
    if (edi_is(&c->seg, "RFF"))
        return reference_key(c, code);
    if (edi_is(&c->seg, "NAD"))
        return party_key(code);
    if (edi_is(&c->seg, "CTA"))
        return KEY(AT_CONTACT, 0);
    if (edi_is(&c->seg, "COM"))
        return KEY(AT_CONTACT, 1);
    if (edi_is(&c->seg, "UNS"))
        return KEY(AT_UNS, 0);
    if (edi_is(&c->seg, "LOC"))
        return KEY(AT_PLACE, strcmp(code, "237") == 0 ? 0 : 1);
    if (edi_is(&c->seg, "CCI"))
        return KEY(AT_KIND, 0);
    return 0;
}

/* Groups that come again: SG10 after a product or another SG10, SG9 after an SG10, SG5 after a
 * place. */
static bool may_repeat(const struct checker *c, unsigned key)
{
    unsigned last = c->msg.key;

    if (key == last)
        return key == KEY(AT_STATUS, 1) || key == KEY(AT_STATUS, 6) || key == KEY(AT_CONTACT, 1) ||
               key == KEY(AT_QUANTITY, 0);
    if (key == KEY(AT_QUANTITY, 0))
        return last >= KEY(AT_PRODUCT, 0);
    if (key == KEY(AT_LINE, 0))
        return last >= KEY(AT_QUANTITY, 0);
    if (key == KEY(AT_PARTY, 0))
        return last >= KEY(AT_PLACE, 0);
    return false;
}

/* What a message has to have, in its order, but the use case: without it nothing is judged. */
static void check_skipped(struct checker *c, unsigned key)
{
    static const struct {
        unsigned key;
        const char *name;
    } must[] = { { KEY(AT_BGM, 0), "BGM" },       { KEY(AT_DATE, 0), "DTM+137" },
                 { KEY(AT_SENDER, 0), "NAD+MS" }, { KEY(AT_RECIPIENT, 0), "NAD+MR" },
                 { KEY(AT_UNS, 0), "UNS" },       { KEY(AT_PARTY, 0), "NAD of the place" },
                 { KEY(AT_PLACE, 1), "LOC" },     { KEY(AT_LINE, 0), "LIN" },
                 { KEY(AT_PRODUCT, 0), "PIA" },   { KEY(AT_QUANTITY, 0), "QTY" } };

    for (size_t i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
        if (c->msg.key < must[i].key && must[i].key < key) {
            mscons_checker_add(c, c->seg.position, "ORDER", "%s+%.3s stands where %s has to",
                               edi_value(&c->seg, 0, 1), edi_value(&c->seg, 1, 1), must[i].name);
            return;
        }
    }
}

void mscons_order_check(struct checker *c, unsigned key)
{
    if (key > c->msg.key && c->msg.key < KEY(AT_QUANTITY, 0))
        check_skipped(c, key);
    if (key > c->msg.key || may_repeat(c, key)) {
        c->msg.key = key;
        return;
    }
    mscons_checker_add(c, c->seg.position, "ORDER", "%s+%.3s does not stand where the MIG puts it",
                       edi_value(&c->seg, 0, 1), edi_value(&c->seg, 1, 1));
    c->msg.key = key;
}
