#include "api_fixture.h"

TCase *reading_tests(void)
{
    return tcase_create("reading");
}
