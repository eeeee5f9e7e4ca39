#ifndef EMT_CTL_CTL_CERTIFICATE_H
#define EMT_CTL_CTL_CERTIFICATE_H

/* emtctl certificate: certificates of others, lists of their CAs, a tenant's EMT certificates. */
int ctl_certificate(int argc, char **argv);

#endif
