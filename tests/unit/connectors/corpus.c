#include "corpus.h"

#include "base/file.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 24)

char *golden_read(const char *name, size_t *len)
{
    char path[512];
    char *data = NULL;

    snprintf(path, sizeof(path), "tests/corpus/mscons/%s", name);
    ck_assert_msg(file_read(path, FILE_MAX, &data, len, NULL) == EMT_OK, "cannot read %s", path);
    return data;
}

static void sample_folder(char *path, size_t size)
{
    const char *corpora = getenv("EMT_CORPORA");

    snprintf(path, size, "%s/mscons", corpora ? corpora : "../shared/corpora");
}

bool sample_read(const char *name, char **data, size_t *len)
{
    char folder[512];
    char path[1024];

    sample_folder(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return file_read(path, FILE_MAX, data, len, NULL) == EMT_OK;
}

bool samples_walk(const char *ending, void (*each)(const char *name))
{
    char folder[512];
    struct dirent *entry;
    DIR *dir;

    sample_folder(folder, sizeof(folder));
    dir = opendir(folder);
    if (!dir) {
        printf("skipped: no sample corpus (set EMT_CORPORA)\n");
        return false;
    }
    while ((entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name);
        size_t e = strlen(ending);

        if (n > e && strcmp(entry->d_name + n - e, ending) == 0)
            each(entry->d_name);
    }
    closedir(dir);
    return true;
}
