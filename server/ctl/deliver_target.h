/* A delivery target as a YAML file describes it; secrets stand in files of their own. */
#ifndef EMT_CTL_DELIVER_TARGET_H
#define EMT_CTL_DELIVER_TARGET_H

#include "base/attr.h"
#include "base/error.h"
#include "base/yaml.h"
#include "delivery/delivery.h"
#include "pki/smime.h"

#include <stddef.h>

#define DELIVER_SECRETS_MAX 12

struct deliver_target {
    struct delivery_target target;
    struct delivery_mail mail;
    struct smime_settings smime;
    struct yaml *yaml; /* what the texts are borrowed from */
    char *secrets[DELIVER_SECRETS_MAX];
    size_t n_secrets;
    const char *lists[3][DELIVERY_ADDRESSES_MAX + 1];
};

/* Reads the file and the files it names. EMT_EMALFORMED with file, line and key. In any case
 * deliver_target_release() frees. */
EMT_CHECKED enum emt_err deliver_target_load(const char *path, struct deliver_target *out,
                                             struct emt_diag *diag);
void deliver_target_release(struct deliver_target *t);

#endif
