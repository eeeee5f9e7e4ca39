import type { Schemas } from '@/api/client';

export type Triple = Schemas['EmtTriple'];
export type EmtUse = 'sig' | 'enc' | 'tls';
export const USES: readonly EmtUse[] = ['sig', 'enc', 'tls'];

export type TripleState = 'current' | 'next' | 'old' | 'over';

/** The youngest valid one is current; one that begins later is next, one before it old. */
export function tripleState(c: Schemas['EmtCertificate'], now: number): TripleState {
  if (c.current) return 'current';
  if (new Date(c.not_before).getTime() > now) return 'next';
  return new Date(c.not_after).getTime() <= now ? 'over' : 'old';
}
