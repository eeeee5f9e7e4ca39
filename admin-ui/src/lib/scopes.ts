import type { Schemas } from '@/api/client';

export type Scope = Schemas['Scope'];

export const scopeAreas = [
  'gateways',
  'devices',
  'readings',
  'frames',
  'keys',
  'market',
  'exports',
  'jobs',
  'users',
  'tenant',
  'audit',
] as const;

export interface AreaGrant {
  read?: boolean;
  write?: boolean;
}

/** The ticked ones in the document's order. */
export function scopesOf(grants: Record<string, AreaGrant>): Scope[] {
  return scopeAreas.flatMap((area): Scope[] => [
    ...(grants[area]?.read ? [`${area}:read` as const] : []),
    ...(grants[area]?.write ? [`${area}:write` as const] : []),
  ]);
}
