#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(obis_meaning_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
