import { signIn, signOut } from './acts.mjs';

const OWN_PASSWORD = 'drei rote Boote am Kai';

/** Each role sees what it may do and nothing else; sessions end the way they should. */
export async function rights(browser, world) {
  await reader(browser, world);
  await technician(browser, world);
  await expiry(browser, world);
}

async function enter(browser, user) {
  await browser.fresh();
  await signIn(browser, { ...user, newPassword: OWN_PASSWORD });
}

async function labels(page) {
  return page
    .getByRole('navigation', { name: 'Hauptnavigation' })
    .getByRole('link')
    .allInnerTexts();
}

async function reader(browser, world) {
  browser.name = 'reader';
  await enter(browser, world.reader);
  const { page } = browser;
  browser.check(
    new URL(page.url()).pathname === `/t/${world.tenant}`,
    `reader lands on ${page.url()}`,
  );
  const links = await labels(page);
  for (const hidden of [
    'Benutzer',
    'API-Schlüssel',
    'Protokoll',
    'Einstellungen',
    'Mandanten',
    'Zählerschlüssel',
    'Ziele',
  ]) {
    browser.check(!links.includes(hidden), `a reader is offered ${hidden}`);
  }
  await browser.shoot('reader-start');
  await browser.visit('reader-gateways', `/t/${world.tenant}/gateways`);
  browser.check(
    (await page.getByRole('button', { name: 'Gateway anlegen' }).count()) === 0,
    'a reader may create',
  );
  await browser.visit('reader-gateway', `/t/${world.tenant}/gateways/gw-1`);
  for (const name of ['Bearbeiten', 'Gateway anmelden', 'Sperren', 'Befehl senden']) {
    browser.check(
      (await page.getByRole('button', { name, exact: true }).count()) === 0,
      `a reader is offered ${name}`,
    );
  }
  await browser.visit('reader-certificates', `/t/${world.tenant}/certificates`);
  for (const name of ['Zertifikat importieren', 'Neue CA anlegen', 'Tripel hinzufügen']) {
    browser.check(
      (await page.getByRole('button', { name, exact: true }).count()) === 0,
      `a reader is offered ${name}`,
    );
  }
  await browser.visit('reader-users', `/t/${world.tenant}/users`);
  await page.getByText('Ihre Rolle darf diese Seite nicht öffnen').waitFor();
  await browser.visit('reader-operator', '/operator/tenants');
  await page.getByRole('heading', { name: 'Nicht gefunden' }).waitFor();
  await browser.expecting([`/api/v1/tenants/other-tenant`], () =>
    browser.visit('reader-other-tenant', '/t/other-tenant'),
  );
  await page.getByText('Den Mandanten „other-tenant“ gibt es nicht').waitFor();
  await signOut(browser);
  await page.getByText('Sie sind abgemeldet.').waitFor();
}

async function technician(browser, world) {
  browser.name = 'technician';
  await enter(browser, world.technician);
  const { page } = browser;
  await browser.visit('technician-gateway', `/t/${world.tenant}/gateways/gw-1`);
  for (const name of ['Bearbeiten', 'Gateway anmelden', 'Befehl senden']) {
    browser.check(
      (await page.getByRole('button', { name, exact: true }).count()) === 1,
      `a technician misses ${name}`,
    );
  }
  browser.check(
    (await page.getByRole('button', { name: 'Sperren', exact: true }).count()) === 0,
    'a technician may revoke',
  );
  const links = await labels(page);
  browser.check(!links.includes('Benutzer'), 'a technician is offered users');
  await signOut(browser);
}

/** A session that the server no longer knows: to the log-in page, and back to where one was. */
async function expiry(browser, world) {
  browser.name = 'expiry';
  await browser.fresh();
  await signIn(browser, {
    name: world.technician.name,
    password: OWN_PASSWORD,
  });
  const { page, context } = browser;
  await browser.go(`/t/${world.tenant}/gateways`);
  await context.clearCookies();
  await browser.expecting(['/api/v1/'], async () => {
    await page.getByRole('row').filter({ hasText: 'gw-1' }).first().click();
    await page.getByText('Ihre Sitzung ist abgelaufen').waitFor();
  });
  await browser.look();
  await browser.shoot('session-expired');
  await page.getByLabel('Benutzername').fill(world.technician.name);
  await page.getByLabel('Passwort', { exact: true }).fill(OWN_PASSWORD);
  await page.getByRole('button', { name: 'Anmelden' }).click();
  await page.getByRole('heading', { name: 'gw-1' }).waitFor();
}
