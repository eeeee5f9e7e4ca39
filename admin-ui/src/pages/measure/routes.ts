import { lazy } from 'react';
import type { PortalRoute } from '../routes';

/** What is measured and what becomes of it; paths below /t/:tenant. */
export const measureRoutes: PortalRoute[] = [
  { path: '', page: lazy(() => import('./OverviewPage')), needs: 'getOverview' },
  { path: '/devices', page: lazy(() => import('./DevicesPage')), needs: 'listDevices' },
  { path: '/devices/:device', page: lazy(() => import('./DevicePage')), needs: 'getDevice' },
  { path: '/frames', page: lazy(() => import('./FramesPage')), needs: 'listFrames' },
  {
    path: '/frames/:gateway/:spool/:seq',
    page: lazy(() => import('./FramePage')),
    needs: 'getFrame',
  },
  { path: '/keys', page: lazy(() => import('./KeysPage')), needs: 'listMeterKeys' },
  { path: '/locations', page: lazy(() => import('./LocationsPage')), needs: 'listLocations' },
  { path: '/locations/:code', page: lazy(() => import('./LocationPage')), needs: 'getLocation' },
  { path: '/exports', page: lazy(() => import('./ExportsPage')), needs: 'listExports' },
  { path: '/jobs', page: lazy(() => import('./JobsPage')), needs: 'listJobs' },
  { path: '/conflicts', page: lazy(() => import('./ConflictsPage')), needs: 'listConflicts' },
  { path: '/events', page: lazy(() => import('./EventsPage')), needs: 'listEvents' },
];
