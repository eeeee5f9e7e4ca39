const LETTERS: Record<string, string> = { ä: 'ae', ö: 'oe', ü: 'ue', ß: 'ss' };
const MAX = 63;

/** As the API wants keys of tenants. */
export const TENANT_KEY = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** As the API wants ids of gateways. */
export const GATEWAY_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
/** As the API wants names of users. */
export const USER_NAME = /^[a-z0-9][a-z0-9._@+-]{0,99}$/;

/** 'Stadtwerke Grünau GmbH' -> 'stadtwerke-gruenau'; the legal form is left out. */
export function proposeTenantKey(name: string): string {
  return name
    .toLowerCase()
    .replace(/[äöüß]/g, (letter) => LETTERS[letter] ?? '')
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/\b(gmbh|ag|eg|kg|mbh|ug|se)\b/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MAX)
    .replace(/^-+|-+$/g, '');
}
