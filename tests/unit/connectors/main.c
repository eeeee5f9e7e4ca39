#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(edi_writer_suite());
    int failed;

    srunner_add_suite(runner, edi_reader_suite());
    srunner_add_suite(runner, acknowledgement_suite());
    srunner_add_suite(runner, load_profile_suite());
    srunner_add_suite(runner, mscons_number_suite());
    srunner_add_suite(runner, mscons_write_suite());
    srunner_add_suite(runner, mscons_kinds_suite());
    srunner_add_suite(runner, mscons_check_suite());
    srunner_add_suite(runner, mscons_mutation_suite());
    srunner_add_suite(runner, mscons_show_suite());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
