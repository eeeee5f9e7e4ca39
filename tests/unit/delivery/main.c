#include "suites.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(delivery_suite());
    int failed;

    srunner_add_suite(runner, mail_message_suite());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
