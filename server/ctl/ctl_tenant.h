/* emtctl tenant: a tenant out of an installation, into another one, and its removal. */
#ifndef EMT_CTL_CTL_TENANT_H
#define EMT_CTL_CTL_TENANT_H

int ctl_tenant_command(int argc, char **argv);

#endif
