import { lazy } from 'react';
import type { PortalRoute } from '../routes';

/** Files on their way to partners; paths below /t/:tenant. */
export const deliveryRoutes: PortalRoute[] = [
  { path: '/schedules', page: lazy(() => import('./SchedulesPage')), needs: 'listSchedules' },
  { path: '/targets', page: lazy(() => import('./TargetsPage')), needs: 'listTargets' },
  { path: '/deliveries', page: lazy(() => import('./DeliveriesPage')), needs: 'listDeliveries' },
];
