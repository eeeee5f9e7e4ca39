#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(obis_meaning_suite());
    int failed;

    srunner_add_suite(runner, crc16_suite());
    srunner_add_suite(runner, iec_suite());
    srunner_add_suite(runner, iec_line_suite());
    srunner_add_suite(runner, obis_corpus_suite());
    srunner_add_suite(runner, obis_public_suite());
    srunner_add_suite(runner, sml_suite());
    srunner_add_suite(runner, sml_transport_suite());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
