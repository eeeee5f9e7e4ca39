/* Configuration text: loads, is read with every typed call, and names its unknown keys. */
#include "base/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct yaml *y)
{
    const struct yaml_node *root = yaml_root(y);
    struct emt_diag diag = { .text = "" };
    const char *text = NULL;
    int64_t number = 0;
    bool flag = false;

    (void)!yaml_text(y, root, "a", &text, &diag);
    (void)!yaml_int(y, root, "a", INT64_MIN, INT64_MAX, &number, &diag);
    (void)!yaml_bool(y, root, "a", &flag, &diag);
    (void)!yaml_duration_ms(y, yaml_get(y, root, "b"), "c", 0, INT64_MAX, &number, &diag);
    (void)!yaml_size(y, yaml_get(y, root, "b"), "d", 0, INT64_MAX, &number, &diag);
    for (size_t i = 0; i < yaml_count(yaml_get(y, root, "e")) && i < 8; i++)
        (void)yaml_scalar(yaml_at(yaml_get(y, root, "e"), i));
    (void)!yaml_unknown(y, &diag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct emt_diag diag = { .text = "" };
    char line[1024];
    struct yaml *y;

    if (yaml_load_text("fuzz.yaml", (const char *)data, size, &y, &diag) == EMT_OK) {
        read_all(y);
        yaml_free(y);
    } else if (!diag.text[0]) {
        abort(); /* a refusal says why */
    }
    (void)emt_diag_format(&diag, line, sizeof line);
    return 0;
}
