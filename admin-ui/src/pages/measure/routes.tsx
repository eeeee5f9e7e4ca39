import type { PortalRoute } from '../routes';

/** Pages below /t/:tenant about measured values; '' is the overview. */
export const measureRoutes: PortalRoute[] = [];
