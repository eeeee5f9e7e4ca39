/* Built without libxlsxwriter: a template that asks for Excel is refused when it is read. */
#include "report_template.h"

bool report_has_xlsx(void)
{
    return false;
}

static enum emt_err refuse(struct report_out *o)
{
    o->bytes.err = EMT_EUNSUPPORTED;
    return EMT_EUNSUPPORTED;
}

static enum emt_err refuse_headings(struct report_out *o, const char *const *labels, size_t n)
{
    (void)labels;
    (void)n;
    return refuse(o);
}

static enum emt_err refuse_row(struct report_out *o, const struct report_cell *cells,
                               const char *const *names, const char *const *labels, size_t n)
{
    (void)cells;
    (void)names;
    return refuse_headings(o, labels, n);
}

static void nothing(struct report_out *o)
{
    (void)o;
}

const struct report_format_ops report_xlsx_ops = { refuse, refuse_headings, refuse_row, refuse,
                                                   nothing };
