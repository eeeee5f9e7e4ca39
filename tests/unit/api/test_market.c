#include "api_fixture.h"

TCase *market_tests(void)
{
    return tcase_create("market");
}
