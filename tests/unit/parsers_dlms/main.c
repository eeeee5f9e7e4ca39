#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(axdr_suite());
    int failed;

    srunner_add_suite(runner, dlms_client_suite());
    srunner_add_suite(runner, dlms_clock_suite());
    srunner_add_suite(runner, dlms_corpus_suite());
    srunner_add_suite(runner, dlms_decode_suite());
    srunner_add_suite(runner, dlms_profile_suite());
    srunner_add_suite(runner, dlms_public_suite());
    srunner_add_suite(runner, dlms_security_suite());
    srunner_add_suite(runner, hdlc_link_suite());
    srunner_add_suite(runner, hdlc_suite());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
