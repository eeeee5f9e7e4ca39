#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(decimal_suite());
    int failed;

    srunner_add_suite(runner, obis_suite());
    srunner_add_suite(runner, quantity_suite());
    srunner_add_suite(runner, states_suite());
    srunner_add_suite(runner, formula_suite());
    srunner_add_suite(runner, device_id_suite());
    srunner_add_suite(runner, reading_suite());
    srunner_add_suite(runner, market_id_suite());
    srunner_add_suite(runner, local_day_suite());
    srunner_add_suite(runner, block_suite());
    srunner_add_suite(runner, aggregate_suite());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
