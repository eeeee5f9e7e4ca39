#include "api_fixture.h"

TCase *device_tests(void)
{
    return tcase_create("device");
}
