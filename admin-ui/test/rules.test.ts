import { describe, expect, it } from 'vitest';
import { chooseLanguage } from '@/i18n';
import { checkMpId } from '@/lib/mpId';
import { scopesOf } from '@/lib/scopes';
import { TENANT_KEY, proposeTenantKey } from '@/lib/tenantKey';
import { returnPath } from '@/pages/returnPath';
import { roleMay } from '@/session/permission';

describe('proposeTenantKey', () => {
  it.each([
    ['Stadtwerke Grünau GmbH', 'stadtwerke-gruenau'],
    ['EVU  Süß & Söhne KG', 'evu-suess-soehne'],
    ['Électricité du Nord', 'electricite-du-nord'],
    ['— 123 —', '123'],
    ['x'.repeat(80), 'x'.repeat(63)],
  ])('makes of %s the key %s', (name, key) => {
    expect(proposeTenantKey(name)).toBe(key);
    expect(key).toMatch(TENANT_KEY);
  });

  it('proposes nothing where no letter is left', () => {
    expect(proposeTenantKey('株式会社')).toBe('');
  });
});

describe('checkMpId', () => {
  it('knows who gave a number out', () => {
    expect(checkMpId('9900999000106')).toEqual({ ok: true, issuer: 'bdew' });
    expect(checkMpId('9870001000004')).toEqual({ ok: true, issuer: 'dvgw' });
    expect(checkMpId('4012345000009')).toEqual({ ok: true, issuer: 'gs1' });
  });

  it('refuses a wrong length, letters and a wrong GLN check digit', () => {
    expect(checkMpId('990099900010')).toEqual({ ok: false, reason: 'digits' });
    expect(checkMpId('99009990001O6')).toEqual({ ok: false, reason: 'digits' });
    expect(checkMpId('4012345000008')).toEqual({ ok: false, reason: 'check' });
  });
});

describe('roleMay', () => {
  it('follows the document', () => {
    expect(roleMay('reader', 'listGateways')).toBe(true);
    expect(roleMay('reader', 'createGateway')).toBe(false);
    expect(roleMay('field-technician', 'createEnrolment')).toBe(true);
    expect(roleMay('field-technician', 'revokeGateway')).toBe(false);
    expect(roleMay('tenant-admin', 'createTenant')).toBe(false);
  });

  it('gives operators everything, auditors reading, strangers nothing', () => {
    expect(roleMay('operator', 'createTenant')).toBe(true);
    expect(roleMay('auditor', 'listAudit')).toBe(true);
    expect(roleMay('auditor', 'revokeGateway')).toBe(false);
    expect(roleMay(null, 'listGateways')).toBe(false);
  });
});

describe('chooseLanguage', () => {
  it('takes the stored one, then the first of the browser that exists, then German', () => {
    expect(chooseLanguage('en', ['de-DE'])).toBe('en');
    expect(chooseLanguage(null, ['fr-FR', 'en-GB', 'de'])).toBe('en');
    expect(chooseLanguage('xx', ['fr'])).toBe('de');
  });
});

describe('returnPath', () => {
  it('leads back within the portal and never out of it', () => {
    expect(returnPath('return=%2Ft%2Fdemo%2Fgateways%3Fq%3D1')).toBe('/t/demo/gateways?q=1');
    for (const bad of ['https://evil.test', '//evil.test', '/\\evil.test', '/\t/evil.test', '']) {
      expect(returnPath(`return=${encodeURIComponent(bad)}`)).toBe('/');
    }
  });
});

describe('scopesOf', () => {
  it('lists what is ticked', () => {
    expect(scopesOf({ audit: { read: true }, gateways: { read: true, write: false } })).toEqual([
      'gateways:read',
      'audit:read',
    ]);
  });
});
