/* emtctl market: what a tenant has agreed with the market: gaps, and the sizes that a partner
 * takes. */
#ifndef EMT_CTL_MARKET_H
#define EMT_CTL_MARKET_H

/* argv[0] is "market". Exit code: 0 done, 1 failed, 2 wrong usage. */
int ctl_market(int argc, char **argv);

#endif
