import { describe, expect, it } from 'vitest';
import {
  byFile,
  gravest,
  mayRepeat,
  ofLastRun,
  type Delivery,
  type DeliveryState,
} from '@/pages/delivery/states';
import {
  FIELDS_OF,
  hasSecret,
  targetBody,
  targetPlace,
  targetValues,
  type Target,
} from '@/pages/delivery/targetFields';
import { changedFields } from '@/pages/delivery/versioned';

const target = (given: Partial<Target>): Target => ({
  id: 1,
  name: 'partner',
  partner: '',
  kind: 'sftp',
  host: 'sftp.partner.example',
  port: 0,
  path: 'in',
  user: 'u',
  host_key: '',
  ca: '',
  client_certificate: '',
  sign_certificate: '',
  encrypt_certificates: '',
  plain_allowed: false,
  implicit_tls: false,
  mail_from: '',
  mail_to: [],
  mail_cc: [],
  mail_bcc: [],
  mail_subject: '',
  mail_text: '',
  secrets: [],
  created_at: '2026-01-01T00:00:00Z',
  revision: 1,
  ...given,
});

const delivery = (given: Partial<Delivery>): Delivery => ({
  id: 1,
  file: 1,
  file_name: 'f',
  target: 1,
  target_name: 'partner',
  state: 'waiting',
  tries: 0,
  outcome: '',
  detail: '',
  created_at: '2026-01-02T00:00:00Z',
  tried_at: null,
  ended_at: null,
  created_by: 'schedule:nightly',
  ...given,
});

describe('targetBody', () => {
  it('sends only what the kind knows', () => {
    const values = { ...targetValues(null), name: ' box ', kind: 'local' as const, path: 'out' };
    expect(targetBody({ ...values, host: 'left.over', password: 'left over' })).toEqual({
      name: 'box',
      partner: '',
      kind: 'local',
      path: 'out',
    });
  });

  it('leaves an untouched secret out, sends a new one and forgets with null', () => {
    const values = targetValues(target({ secrets: ['password', 'private-key'] }));
    expect(targetBody(values)).not.toHaveProperty('password');
    expect(targetBody({ ...values, password: 'p w ', private_key: null })).toMatchObject({
      password: 'p w ',
      private_key: null,
    });
  });

  it('cuts lists of addresses, whatever stands between them', () => {
    const values = {
      ...targetValues(null),
      kind: 'mail' as const,
      mail_to: 'a@b.de, c@d.de;\ne@f.de',
    };
    expect(targetBody(values).mail_to).toEqual(['a@b.de', 'c@d.de', 'e@f.de']);
    expect(targetBody(values).mail_cc).toEqual([]);
  });

  it('changes nothing where nothing was changed', () => {
    for (const kind of Object.keys(FIELDS_OF) as Target['kind'][]) {
      const one = target({ kind, port: 2022, mail_to: ['a@b.de'], secrets: ['password'] });
      expect(changedFields(targetBody(targetValues(one)), one)).toEqual({});
    }
  });
});

describe('a target', () => {
  it('tells which secrets it has by the name of the field', () => {
    const one = target({ secrets: ['private-key-password'] });
    expect(hasSecret(one, 'private_key_password')).toBe(true);
    expect(hasSecret(one, 'private_key')).toBe(false);
    expect(hasSecret(null, 'password')).toBe(false);
  });

  it('has an address in one line', () => {
    expect(targetPlace(target({ port: 2022 }))).toBe('u@sftp.partner.example:2022/~/in');
    expect(targetPlace(target({ kind: 'https', user: '', path: '/edi' }))).toBe(
      'sftp.partner.example/edi',
    );
    expect(targetPlace(target({ kind: 'mail', mail_to: ['a@b.de'] }))).toBe('a@b.de');
  });
});

describe('deliveries', () => {
  it('show first what needs somebody', () => {
    const of = (...states: DeliveryState[]) => gravest(states.map((state) => delivery({ state })));
    expect(of('delivered', 'waiting')).toBe('waiting');
    expect(of('delivered', 'failed', 'unknown')).toBe('unknown');
    expect(of()).toBeUndefined();
  });

  it('are sent again only where they failed or nobody knows', () => {
    const again = (['waiting', 'sending', 'delivered', 'failed', 'unknown'] as const).filter(
      (state) => mayRepeat(delivery({ state })),
    );
    expect(again).toEqual(['failed', 'unknown']);
  });

  it('of a last run are not those of an earlier one, nor of another schedule', () => {
    const schedule = {
      name: 'nightly',
      created_at: '2026-01-01T00:00:00Z',
      last_run_at: '2026-01-02T00:00:00Z',
    } as Parameters<typeof ofLastRun>[1];
    const found = ofLastRun(
      [
        delivery({ id: 1 }),
        delivery({ id: 2, created_at: '2026-01-01T23:59:59Z' }),
        delivery({ id: 3, created_by: 'schedule:nightly 2' }),
      ],
      schedule,
    );
    expect(found.map(({ id }) => id)).toEqual([1]);
  });

  it('of a file older than the page do not count as none', () => {
    const page = byFile({ items: [delivery({ file: 7 })], next: 'more' });
    expect(page.of(7)).toHaveLength(1);
    expect(page.of(3)).toEqual([]);
    expect(page.complete('2026-01-01T00:00:00Z')).toBe(false);
    expect(page.complete('2026-01-03T00:00:00Z')).toBe(true);
    expect(byFile({ items: [] }).complete('2026-01-01T00:00:00Z')).toBe(true);
  });
});
