import type { Schemas } from '@/api/client';
import { api, call } from '@/api/client';
import type { ToneName } from '@/components/measure/Tone';

export type Import = Schemas['Import'];
export type CrlState = 'none' | 'missing' | 'current' | 'stale';

/** Of a CA: the state of its list. The head-end gives a new import an hour to get its first one. */
export function crlState({ crl, crl_policy, crl_url }: Import, now: number): CrlState {
  if (!crl) return crl_policy === 'none' && !crl_url ? 'none' : 'missing';
  return crl.next_update && new Date(crl.next_update).getTime() <= now ? 'stale' : 'current';
}

export const CRL_TONES: Record<CrlState, ToneName> = {
  none: 'calm',
  missing: 'bad',
  current: 'good',
  stale: 'bad',
};

export type ImportKind = 'ca' | 'gateway' | 'logger';

export function importKind({ pinned, purpose }: Import): ImportKind {
  return !pinned ? 'ca' : purpose;
}

export function getImport(tenant: string, certificate_id: number): Promise<Import> {
  return call(
    api.GET('/api/v1/tenants/{tenant}/certificates/{certificate_id}', {
      params: { path: { tenant, certificate_id } },
    }),
  );
}
