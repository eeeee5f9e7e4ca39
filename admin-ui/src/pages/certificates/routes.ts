import { lazy } from 'react';
import type { PortalRoute } from '../routes';

/** Who is who on the field channel and towards the market; paths below /t/:tenant. */
export const certificateRoutes: PortalRoute[] = [
  {
    path: '/certificates',
    page: lazy(() => import('./CertificatesPage')),
    needs: 'listCertificates',
  },
  {
    path: '/certificates/:certificate',
    page: lazy(() => import('./ImportPage')),
    needs: 'getCertificate',
  },
];
