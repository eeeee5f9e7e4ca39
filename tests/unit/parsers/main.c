#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(decode_suite());
    int failed;

    srunner_add_suite(runner, explain_suite());
    srunner_add_suite(runner, mbus_corpus_suite());
    srunner_add_suite(runner, mbus_date_suite());
    srunner_add_suite(runner, mbus_fragment_suite());
    srunner_add_suite(runner, mbus_meaning_suite());
    srunner_add_suite(runner, mbus_readout_suite());
    srunner_add_suite(runner, mbus_record_suite());
    srunner_add_suite(runner, mbus_security_suite());
    srunner_add_suite(runner, mbus_wired_suite());
    srunner_add_suite(runner, oms_encode_suite());
    srunner_add_suite(runner, public_corpora_suite());
    srunner_add_suite(runner, vendor_suite());
    srunner_add_suite(runner, vendor_families_suite());
    srunner_add_suite(runner, wmbus_link_suite());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
