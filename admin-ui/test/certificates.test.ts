import { describe, expect, it } from 'vitest';
import { daysLeft, endStep, endTone } from '@/pages/certificates/ends';
import { crlState, type Import } from '@/pages/certificates/imports';
import { toCrlText, toPem } from '@/pages/certificates/pem';
import { tripleState } from '@/pages/certificates/triples';

const NOW = Date.UTC(2026, 10, 21);
const day = (n: number) => new Date(NOW + n * 86_400_000).toISOString();

describe('ends', () => {
  it('counts whole days', () => {
    expect(daysLeft(day(1.9), NOW)).toBe(1);
    expect(daysLeft(day(-0.1), NOW)).toBe(-1);
  });

  it('marks the steps of the head-end', () => {
    expect(endStep(day(-300), day(91), NOW)).toBe(null);
    expect(endStep(day(-300), day(90), NOW)).toBe(90);
    expect(endStep(day(-300), day(30), NOW)).toBe(30);
    expect(endStep(day(-300), day(7), NOW)).toBe(7);
    expect(endTone(day(-300), day(6), NOW)).toBe('bad');
    expect(endTone(day(-300), day(0), NOW)).toBe('bad');
  });

  it('leaves out a step above a quarter of the life', () => {
    expect(endStep(day(-10), day(20), NOW)).toBe(null);
    expect(endStep(day(-25), day(5), NOW)).toBe(7);
    expect(endStep(null, day(20), NOW)).toBe(30);
  });
});

describe('files', () => {
  const der = new Uint8Array([0x30, 0x82, 0xff, 0x00]);

  it('become PEM when they are DER', () => {
    expect(toPem(der, 'CERTIFICATE')).toBe(
      '-----BEGIN CERTIFICATE-----\nMIL/AA==\n-----END CERTIFICATE-----\n',
    );
    expect(toPem(new Uint8Array(100), 'PRIVATE KEY').split('\n')[1]).toHaveLength(64);
  });

  it('stay as they are when they are PEM', () => {
    const text = '# by hand\n-----BEGIN CERTIFICATE-----\n';
    expect(toPem(new TextEncoder().encode(text), 'CERTIFICATE')).toBe(text);
  });

  it('of lists go as PEM or base64', () => {
    expect(toCrlText(der)).toBe('MIL/AA==');
    expect(toCrlText(new TextEncoder().encode('-----BEGIN X509 CRL-----'))).toContain('BEGIN');
  });
});

describe('states', () => {
  const of = (part: Partial<Import>) => ({ crl: null, crl_url: null, ...part }) as Import;
  const list = { number: '', this_update: day(-1), entries: 0, source: 'uploaded' as const };

  it('of lists: none, missing, current, stale', () => {
    expect(crlState(of({ crl_policy: 'none' }), NOW)).toBe('none');
    expect(crlState(of({ crl_policy: 'alarm' }), NOW)).toBe('missing');
    expect(crlState(of({ crl: { ...list, next_update: day(1) } }), NOW)).toBe('current');
    expect(crlState(of({ crl: { ...list, next_update: day(0) } }), NOW)).toBe('stale');
  });

  it('of triples: current, next, old, over', () => {
    const base = { subject: '', serial: '', fingerprint: '', certificate: '', current: false };
    const state = (from: number, until: number, current = false) =>
      tripleState({ ...base, current, not_before: day(from), not_after: day(until) }, NOW);
    expect(state(-1, 1, true)).toBe('current');
    expect(state(1, 9)).toBe('next');
    expect(state(-9, 1)).toBe('old');
    expect(state(-9, -1)).toBe('over');
  });
});
