import type { OperationId } from '@/api/access';

export interface NavItem {
  /** key below nav. in the texts */
  label: string;
  /** relative to /t/:tenant or to / */
  path: string;
  /** shown to those who may call this */
  needs: OperationId;
}

export interface NavGroup {
  label: string;
  items: NavItem[];
}

export const tenantNavigation: NavGroup[] = [
  {
    label: 'measuring',
    items: [
      { label: 'overview', path: '', needs: 'getOverview' },
      { label: 'gateways', path: '/gateways', needs: 'listGateways' },
      { label: 'devices', path: '/devices', needs: 'listDevices' },
      { label: 'frames', path: '/frames', needs: 'listFrames' },
      { label: 'keys', path: '/keys', needs: 'listMeterKeys' },
      { label: 'events', path: '/events', needs: 'listEvents' },
      { label: 'conflicts', path: '/conflicts', needs: 'listConflicts' },
      { label: 'calculated', path: '/calculated', needs: 'listCalculatedChannels' },
    ],
  },
  {
    label: 'market',
    items: [
      { label: 'locations', path: '/locations', needs: 'listLocations' },
      { label: 'exports', path: '/exports', needs: 'listExports' },
      { label: 'deliveries', path: '/deliveries', needs: 'listDeliveries' },
      { label: 'acknowledgements', path: '/acknowledgements', needs: 'listAcknowledgements' },
      { label: 'schedules', path: '/schedules', needs: 'listSchedules' },
      { label: 'reports', path: '/reports', needs: 'listReportTemplates' },
      { label: 'targets', path: '/targets', needs: 'listTargets' },
      { label: 'jobs', path: '/jobs', needs: 'listJobs' },
    ],
  },
  {
    label: 'administration',
    items: [
      { label: 'users', path: '/users', needs: 'listTenantUsers' },
      { label: 'apiKeys', path: '/api-keys', needs: 'listApiKeys' },
      { label: 'certificates', path: '/certificates', needs: 'listCertificates' },
      { label: 'audit', path: '/audit', needs: 'listAudit' },
      { label: 'settings', path: '/settings', needs: 'updateTenant' },
    ],
  },
];

export const operatorNavigation: NavGroup = {
  label: 'platform',
  items: [
    { label: 'tenants', path: '/operator/tenants', needs: 'listNodes' },
    { label: 'users', path: '/operator/users', needs: 'listUsers' },
    { label: 'nodes', path: '/operator/nodes', needs: 'listNodes' },
    { label: 'audit', path: '/operator/audit', needs: 'listPlatformAudit' },
  ],
};
