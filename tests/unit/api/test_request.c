#include "api_fixture.h"

TCase *request_tests(void)
{
    return tcase_create("request");
}
