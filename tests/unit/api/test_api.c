/* The REST interface over loopback, against a throw-away database. */
#include "api_fixture.h"

#include <stdlib.h>

int main(void)
{
    Suite *suite = suite_create("api");

    platform_start();
    suite_add_tcase(suite, platform_tests());
    suite_add_tcase(suite, user_tests());
    suite_add_tcase(suite, gateway_tests());
    suite_add_tcase(suite, device_tests());
    suite_add_tcase(suite, meter_key_tests());
    suite_add_tcase(suite, reading_tests());
    suite_add_tcase(suite, correction_tests());
    suite_add_tcase(suite, market_tests());
    suite_add_tcase(suite, request_tests());
    SRunner *sr = srunner_create(suite);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    free(platform.operator_key);
    free(platform.auditor_key);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
