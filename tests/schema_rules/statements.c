/* Prints every statement of every aggregate as one line: name, tab, SQL. */
#include "store/store.h"

#include <stdio.h>

#define AGGREGATE(name) const struct store_statement *name##_statements(size_t *n);
#include "aggregates.def"
#undef AGGREGATE

int main(void)
{
    const struct store_statement *(*const all[])(size_t * n) = {
#define AGGREGATE(name) name##_statements,
#include "aggregates.def"
#undef AGGREGATE
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        size_t n;
        const struct store_statement *st = all[i](&n);

        for (size_t k = 0; k < n; k++)
            printf("%s\t%s\n", st[k].name, st[k].sql);
    }
    return 0;
}
