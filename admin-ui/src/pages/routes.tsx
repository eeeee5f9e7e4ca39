import { type ComponentType, type LazyExoticComponent } from 'react';
import type { OperationId } from '@/api/access';
import { measureRoutes } from './measure/routes';

export interface PortalRoute {
  /** of a tenant's page: what follows /t/:tenant */
  path: string;
  page: LazyExoticComponent<ComponentType>;
  /** who may not call this sees that the page is not for them */
  needs: OperationId;
}

export const tenantRoutes: PortalRoute[] = [...measureRoutes];
export const operatorRoutes: PortalRoute[] = [];
