#include "api_fixture.h"

TCase *gateway_tests(void)
{
    return tcase_create("gateway");
}
