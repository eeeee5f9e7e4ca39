import { lazy } from 'react';
import type { PortalRoute } from '../routes';

/** Files on their way to partners; paths below /t/:tenant. */
export const deliveryRoutes: PortalRoute[] = [
  { path: '/schedules', page: lazy(() => import('./SchedulesPage')), needs: 'listSchedules' },
  {
    path: '/reports',
    page: lazy(() => import('./ReportsPage')),
    needs: 'listReportTemplates',
  },
  { path: '/targets', page: lazy(() => import('./TargetsPage')), needs: 'listTargets' },
  {
    path: '/exports/:file',
    page: lazy(() => import('./ExportFilePage')),
    needs: 'getExport',
  },
  {
    path: '/acknowledgements',
    page: lazy(() => import('./AcknowledgementsPage')),
    needs: 'listAcknowledgements',
  },
  {
    path: '/channels/:channel/trace',
    page: lazy(() => import('./TracePage')),
    needs: 'traceValue',
  },
  { path: '/deliveries', page: lazy(() => import('./DeliveriesPage')), needs: 'listDeliveries' },
];
