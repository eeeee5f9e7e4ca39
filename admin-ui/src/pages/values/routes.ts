import { lazy } from 'react';
import type { PortalRoute } from '../routes';

/** What people do with values; paths below /t/:tenant. */
export const valueRoutes: PortalRoute[] = [
  { path: '/channels/:channel', page: lazy(() => import('./ChannelPage')), needs: 'getChannel' },
  {
    path: '/calculated',
    page: lazy(() => import('./CalculatedPage')),
    needs: 'listCalculatedChannels',
  },
];
