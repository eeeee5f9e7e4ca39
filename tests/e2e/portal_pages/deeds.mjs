import { addUser, secret } from './acts.mjs';
import { certificateDeeds } from './certificate_pages.mjs';
import { deliveryDeeds } from './delivery_pages.mjs';
import { reportDeeds } from './report_pages.mjs';
import { valueDeeds } from './value_pages.mjs';

/** What an operator does in a tenant, with what it leads to. */
export async function deeds(browser, world) {
  await browser.style({ language: 'de', theme: 'light' });
  world.reader = { name: 'lena', role: 'Nur lesen' };
  world.technician = { name: 'tom', role: 'Monteur' };
  browser.name = 'add users';
  world.reader.password = await addUser(browser, world.tenant, world.reader);
  world.technician.password = await addUser(browser, world.tenant, world.technician);
  await apiKey(browser, world);
  await settings(browser, world);
  await command(browser, world);
  await heard(browser, world);
  await valueDeeds(browser, world);
  await deliveryDeeds(browser, world);
  await reportDeeds(browser, world);
  await certificateDeeds(browser, world);
  await revoke(browser, world);
  await disconnection(browser, world);
  await narrow(browser, world);
}

async function apiKey(browser, world) {
  browser.name = 'api key';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/api-keys`);
  await page.getByRole('button', { name: 'API-Schlüssel anlegen' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Bezeichnung').fill('Abrechnung');
  await dialog.getByLabel('Messwerte: lesen').check();
  await dialog.getByRole('button', { name: 'Anlegen' }).click();
  await page.getByText('Nur jetzt zu sehen').waitFor();
  const key = await secret(page, 'API-Schlüssel');
  browser.check(/^emt_/.test(key), `not a key: ${key}`);
  await page.getByRole('button', { name: 'Kopieren' }).click();
  await page.getByRole('button', { name: 'Kopiert' }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  browser.check(copied === key, 'the clipboard holds something else');
  await browser.look();
  await browser.shoot('api-key-made');
  await page.getByRole('button', { name: 'Fertig' }).click();
  await page.getByRole('button', { name: 'Aktionen für Schlüssel Abrechnung' }).click();
  await page.getByRole('menuitem', { name: 'Widerrufen' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Widerrufen' }).click();
  await page.getByRole('cell', { name: 'widerrufen' }).waitFor();
}

/** Saved with a notice; somebody else's change in between is not overwritten. */
async function settings(browser, world) {
  browser.name = 'settings';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/settings`);
  const tolerance = page.getByLabel('Toleranz am Viertelstundenraster');
  await tolerance.fill('450');
  await page.getByRole('button', { name: 'Speichern' }).click();
  await page.getByText('Gespeichert').waitFor();
  await browser.look();
  await browser.shoot('settings-saved');
  await page.getByText('Gespeichert').waitFor({ state: 'detached' });
  await tolerance.fill('400');
  await browser.patch(`/api/v1/tenants/${world.tenant}`, {
    profile_tolerance_s: 300,
  });
  await browser.expecting([`/api/v1/tenants/${world.tenant}`], async () => {
    await page.getByRole('button', { name: 'Speichern' }).click();
    await page.getByText('Inzwischen von jemand anderem geändert').waitFor();
  });
  await browser.look();
  await browser.shoot('settings-changed-elsewhere');
}

async function command(browser, world) {
  browser.name = 'command';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/gateways/gw-1`);
  await page.getByRole('button', { name: 'Befehl senden' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Senden' }).click();
  await page.getByRole('cell', { name: 'pong' }).waitFor({ timeout: 30_000 });
  await browser.look();
  await browser.shoot('command-done');
}

/** The gateway is told to leave strangers out, and says that it does; a meter is ignored and adopted. */
async function heard(browser, world) {
  browser.name = 'heard meters';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/gateways/gw-1`);
  await page.getByRole('link', { name: 'Gehörte Zähler' }).click();
  await page.getByRole('button', { name: 'Nur übernommene senden' }).click();
  await page.getByText('vom Gateway bestätigt').waitFor({ timeout: 30_000 });
  await page.getByText(/^Nur übernommene Zähler/).waitFor();
  await browser.look();
  await browser.shoot('heard-listed');
  await page.getByRole('button', { name: 'Alles senden' }).click();
  await page.getByText('Alles, was es hört').waitFor({ timeout: 30_000 });
  const menu = page.getByRole('button', { name: /^Aktionen zu/ }).first();
  await menu.click();
  await page.getByRole('menuitem', { name: 'Ignorieren' }).click();
  await page.getByRole('cell', { name: 'ignoriert' }).waitFor();
  await menu.click();
  await page.getByRole('menuitem', { name: 'Übernehmen' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Schlüssel').fill('00');
  await dialog.getByRole('button', { name: 'Übernehmen' }).click();
  await dialog.getByText(/Muss 32 Hexziffern/).waitFor();
  await dialog.getByLabel('Schlüssel').fill('');
  await dialog.getByRole('button', { name: 'Übernehmen' }).click();
  await page.getByRole('cell', { name: 'ignoriert' }).waitFor({ state: 'detached' });
}

async function revoke(browser, world) {
  browser.name = 'revoke';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/gateways/gw-2`);
  await page.getByRole('button', { name: 'Sperren' }).click();
  const dialog = page.getByRole('dialog');
  const sure = dialog.getByRole('button', { name: 'Sperren' });
  browser.check(await sure.isDisabled(), 'revoking without a reason is offered');
  await dialog.getByLabel('Grund').fill('ausgetauscht');
  await sure.click();
  await page.getByText('gesperrt').first().waitFor();
  const gone = await page.getByRole('button', { name: 'Gateway anmelden' }).count();
  browser.check(gone === 0, 'a revoked gateway is offered an enrolment');
  await browser.look();
  await browser.shoot('gateway-revoked');
}

/** The list follows by itself when a gateway goes away and comes back. */
async function disconnection(browser, world) {
  browser.name = 'live list';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/gateways`);
  const row = page.getByRole('row').filter({ hasText: 'gw-1' });
  await row.getByText('verbunden').waitFor();
  await page.getByText('live', { exact: true }).waitFor();
  const start = Date.now();
  world.agent.kill('SIGTERM');
  await row.getByText(/getrennt|abgerissen/).waitFor({ timeout: 30_000 });
  browser.figures.disconnect_seen_s = (Date.now() - start) / 1000;
  await browser.shoot('gateway-gone');
}

/** A technician's telephone. */
async function narrow(browser, world) {
  const { page } = browser;
  await page.setViewportSize({ width: 390, height: 800 });
  for (const [name, path] of [
    ['narrow-gateways', `/t/${world.tenant}/gateways`],
    ['narrow-gateway', `/t/${world.tenant}/gateways/gw-1`],
    ['narrow-overview', `/t/${world.tenant}`],
    ['narrow-wizard', '/operator/tenants/new'],
  ]) {
    await browser.visit(name, path);
  }
  browser.name = 'narrow-navigation';
  await page.getByRole('button', { name: 'Navigation ein- oder ausblenden' }).click();
  await page.waitForTimeout(300);
  await browser.shoot('narrow-navigation');
  await page.setViewportSize({ width: 1360, height: 850 });
}
