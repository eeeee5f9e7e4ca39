import { lazy, type ComponentType, type LazyExoticComponent } from 'react';
import type { OperationId } from '@/api/access';
import { certificateRoutes } from './certificates/routes';
import { deliveryRoutes } from './delivery/routes';
import { measureRoutes } from './measure/routes';
import { valueRoutes } from './values/routes';

export interface PortalRoute {
  /** of a tenant's page: what follows /t/:tenant */
  path: string;
  page: LazyExoticComponent<ComponentType>;
  /** who may not call this sees that the page is not for them */
  needs: OperationId;
}

export const tenantRoutes: PortalRoute[] = [
  ...measureRoutes,
  ...deliveryRoutes,
  ...valueRoutes,
  ...certificateRoutes,
  { path: '/gateways', page: lazy(() => import('./gateways/GatewaysPage')), needs: 'listGateways' },
  {
    path: '/gateways/:gateway',
    page: lazy(() => import('./gateways/GatewayPage')),
    needs: 'getGateway',
  },
  {
    path: '/gateways/:gateway/heard',
    page: lazy(() => import('./gateways/HeardPage')),
    needs: 'listHeard',
  },
  { path: '/users', page: lazy(() => import('./tenant/UsersPage')), needs: 'listTenantUsers' },
  { path: '/api-keys', page: lazy(() => import('./tenant/ApiKeysPage')), needs: 'listApiKeys' },
  { path: '/audit', page: lazy(() => import('./tenant/AuditPage')), needs: 'listAudit' },
  { path: '/settings', page: lazy(() => import('./tenant/SettingsPage')), needs: 'updateTenant' },
];

export const operatorRoutes: PortalRoute[] = [
  {
    path: '/operator/tenants',
    page: lazy(() => import('./operator/TenantsPage')),
    needs: 'listNodes',
  },
  {
    path: '/operator/tenants/new',
    page: lazy(() => import('./operator/TenantWizardPage')),
    needs: 'createTenant',
  },
  {
    path: '/operator/users',
    page: lazy(() => import('./operator/PlatformUsersPage')),
    needs: 'listUsers',
  },
  { path: '/operator/nodes', page: lazy(() => import('./operator/NodesPage')), needs: 'listNodes' },
  {
    path: '/operator/audit',
    page: lazy(() => import('./operator/PlatformAuditPage')),
    needs: 'listPlatformAudit',
  },
];
