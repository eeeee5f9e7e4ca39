import type { Schemas } from '@/api/client';

/** What happens to devices that a gateway hears for the first time. */
export const POLICIES: Schemas['Tenant']['device_policy'][] = ['learn', 'allow-list', 'ignore'];
