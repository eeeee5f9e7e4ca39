#include "api_fixture.h"

TCase *meter_key_tests(void)
{
    return tcase_create("meter_key");
}
