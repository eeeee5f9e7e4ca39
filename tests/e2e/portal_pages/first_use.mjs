import { secret, signIn } from './acts.mjs';

const LIVE_WITHIN_S = 60;

/** From the one-time password of a new installation to the first gateway that is live. */
export async function firstUse(browser, world) {
  const { page } = browser;
  await browser.visit('login', '/login');
  await wrongPassword(browser);
  await signIn(browser, { ...world.first, newPassword: world.password });
  await browser.visit('tenants-none', '/operator/tenants');
  await wizard(browser, world, page);
}

async function wrongPassword(browser) {
  const { page } = browser;
  browser.name = 'login-wrong';
  await page.getByLabel('Benutzername').fill('nobody');
  await page.getByLabel('Passwort', { exact: true }).fill('not the password');
  await browser.expecting(['/api/v1/sessions'], async () => {
    await page.getByRole('button', { name: 'Anmelden' }).click();
    await page.getByRole('alert').waitFor();
  });
  await browser.look();
  await browser.shoot('login-wrong');
}

async function wizard(browser, world, page) {
  browser.name = 'wizard';
  const start = Date.now();
  await page.getByRole('link', { name: 'Mandant anlegen' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('Stadtwerke Grünau GmbH');
  const key = await page.getByLabel('Kurzname').inputValue();
  browser.check(key === 'stadtwerke-gruenau', `proposed key ${key}`);
  await page.getByLabel('Marktpartner-ID').fill('9900999000106');
  await page.getByText('Codenummer des BDEW').waitFor();
  await browser.look();
  await browser.shoot('wizard-1');
  await page.getByRole('button', { name: 'Weiter' }).click();
  await page.getByLabel('Kennung').fill('gw-1');
  await page.getByLabel('Ort').fill('Heizzentrale, Lindenstraße 5');
  await browser.look();
  await browser.shoot('wizard-2');
  await page.getByRole('button', { name: 'Weiter' }).click();
  await browser.look();
  await browser.shoot('wizard-3');
  await page.getByRole('button', { name: 'Jetzt anlegen' }).click();
  await page.getByText('Warten auf Gateway gw-1').waitFor();
  await browser.look();
  await browser.shoot('wizard-4-waiting');
  world.tenant = key;
  world.admin = {
    name: await secret(page, 'Benutzername'),
    password: await secret(page, 'Einmalpasswort'),
  };
  await world.enrolAndRun(await secret(page, 'Befehl für das Gateway'), 'gw-1');
  await page.locator('[data-live]').waitFor({ timeout: LIVE_WITHIN_S * 1000 });
  browser.figures.wizard_to_live_s = (Date.now() - start) / 1000;
  browser.check(
    browser.figures.wizard_to_live_s < LIVE_WITHIN_S,
    'the first gateway took too long',
  );
  await browser.look();
  await browser.shoot('wizard-5-live');
  await page.getByRole('link', { name: 'Zum Mandanten' }).click();
  await browser.settle();
}
