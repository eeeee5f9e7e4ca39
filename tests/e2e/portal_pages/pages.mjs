// Every page there is. `open` shows on it what a click would show.
import { certificatePages } from './certificate_pages.mjs';
import { deliveryPages } from './delivery_pages.mjs';
import { reportPages } from './report_pages.mjs';
import { measurePages } from './measure_pages.mjs';
import { valuePages } from './value_pages.mjs';

const button = (name) => async (page) => {
  await page.getByRole('button', { name }).first().click();
  await page.getByRole('dialog').waitFor();
  await page.waitForTimeout(250);
};

export async function platformPages() {
  return [
    { name: 'operator-tenants', path: '/operator/tenants' },
    { name: 'operator-wizard', path: '/operator/tenants/new' },
    { name: 'operator-users', path: '/operator/users' },
    {
      name: 'operator-user-new',
      path: '/operator/users',
      open: button(/Benutzer anlegen|New user/),
    },
    { name: 'operator-nodes', path: '/operator/nodes' },
    { name: 'operator-audit', path: '/operator/audit' },
    { name: 'account', path: '/account' },
    { name: 'not-found', path: '/there-is-no-such-page' },
    {
      name: 'user-menu',
      path: '/operator/tenants',
      open: async (page) => {
        await page.locator('header button[aria-haspopup=dialog]').last().click();
        await page.getByRole('dialog').waitFor();
      },
    },
  ];
}

export async function tenantPages(browser, world) {
  const base = `/t/${world.tenant}`;
  const api = `/api/v1/tenants/${world.tenant}`;
  const gateways = (await browser.get(`${api}/gateways?limit=1`)).items;
  const gateway = gateways[0]?.id;
  return [
    { name: 'gateways', path: `${base}/gateways` },
    { name: 'gateways-none-match', path: `${base}/gateways?q=zzzz` },
    {
      name: 'gateway-new',
      path: `${base}/gateways`,
      open: button(/Gateway anlegen|New gateway/),
    },
    {
      name: 'gateway-import',
      path: `${base}/gateways`,
      open: button(/Gateways importieren|Import gateways/),
    },
    ...(gateway
      ? [
          { name: 'gateway', path: `${base}/gateways/${gateway}` },
          { name: 'gateway-heard', path: `${base}/gateways/${gateway}/heard` },
          {
            name: 'gateway-enrol',
            path: `${base}/gateways/${gateway}`,
            open: button(/Gateway anmelden|Enrol gateway/),
          },
          {
            name: 'gateway-revoke',
            path: `${base}/gateways/${gateway}`,
            open: button(/^(Sperren|Revoke)$/),
          },
          {
            name: 'gateway-command',
            path: `${base}/gateways/${gateway}`,
            open: button(/Befehl senden|Send command/),
          },
        ]
      : []),
    { name: 'users', path: `${base}/users` },
    {
      name: 'user-new',
      path: `${base}/users`,
      open: button(/Benutzer anlegen|New user/),
    },
    { name: 'api-keys', path: `${base}/api-keys` },
    {
      name: 'api-key-new',
      path: `${base}/api-keys`,
      open: button(/API-Schlüssel anlegen|New API key/),
    },
    {
      name: 'audit',
      path: `${base}/audit`,
      open: async (page) => {
        await page.getByRole('button', { name: /Kette prüfen|Verify chain/ }).click();
        await page
          .getByRole('status')
          .filter({ hasText: /unverändert|intact/ })
          .waitFor();
      },
    },
    { name: 'settings', path: `${base}/settings` },
    ...(await measurePages(browser, world)),
    ...(await valuePages(browser, world)),
    ...(await deliveryPages(browser, world)),
    ...(await reportPages(browser, world)),
    ...(await certificatePages(browser, world)),
  ];
}
