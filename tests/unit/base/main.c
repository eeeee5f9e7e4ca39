#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(error_suite());
    int failed;

    srunner_add_suite(runner, reader_suite());
    srunner_add_suite(runner, writer_suite());
    srunner_add_suite(runner, arena_suite());
    srunner_add_suite(runner, hex_suite());
    srunner_add_suite(runner, clock_suite());
    srunner_add_suite(runner, file_suite());
    srunner_add_suite(runner, map_suite());
    srunner_add_suite(runner, log_suite());
    srunner_add_suite(runner, cipher_suite());
    srunner_add_suite(runner, seal_suite());
    srunner_add_suite(runner, backoff_suite());
    srunner_add_suite(runner, cron_suite());
    srunner_add_suite(runner, json_text_suite());
    srunner_add_suite(runner, yaml_suite());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
