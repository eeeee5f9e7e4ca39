// What a person does on more than one occasion.

/** Through the log-in page; exchanges a one-time password when asked to. */
export async function signIn(browser, { name, password, newPassword }) {
  const { page } = browser;
  await browser.go('/login');
  await page.getByLabel('Benutzername').fill(name);
  await page.getByLabel('Passwort', { exact: true }).fill(password);
  const answered = page.waitForResponse((response) => response.url().endsWith('/api/v1/sessions'));
  await browser.expecting(newPassword ? ['/api/v1/sessions'] : [], async () => {
    await page.getByRole('button', { name: 'Anmelden' }).click();
    await answered;
  });
  if ((await answered).status() === 403) {
    if (!newPassword) throw new Error('a one-time password: give --new-password-file');
    await page.getByLabel('Neues Passwort', { exact: true }).fill(newPassword);
    await page.getByLabel('Neues Passwort wiederholen').fill(newPassword);
    await browser.look();
    await browser.shoot('login-one-time');
    await page.getByRole('button', { name: 'Passwort setzen und anmelden' }).click();
  }
  await page.locator('header').waitFor();
  await browser.settle();
}

export async function signOut(browser) {
  const { page } = browser;
  await page.locator('header button[aria-haspopup=dialog]').last().click();
  await page.getByRole('button', { name: /^(Abmelden|Log out)$/ }).click();
  await page.getByRole('heading', { name: 'EMT Platform' }).waitFor();
}

/** The text of a box that shows a secret once. */
export function secret(page, label) {
  return page
    .locator(`pre[aria-label="${label}"], code[aria-label="${label}"]`)
    .first()
    .innerText();
}

/** Makes a user on the page of users; answers with the one-time password that it shows. */
export async function addUser(browser, tenant, { name, role }) {
  const { page } = browser;
  await browser.go(`/t/${tenant}/users`);
  await page.getByRole('button', { name: 'Benutzer anlegen' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Benutzername').fill(name);
  await dialog.getByLabel('Anzeigename').fill(name.toUpperCase());
  await dialog.getByRole('combobox', { name: 'Rolle' }).click();
  await page.getByRole('option', { name: role }).click();
  await dialog.getByRole('button', { name: 'Anlegen' }).click();
  await page.getByText('Nur jetzt zu sehen').waitFor();
  const password = await secret(page, 'Einmalpasswort');
  await browser.look();
  await browser.shoot(`user-made-${name}`);
  await page.getByRole('button', { name: 'Fertig' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  return password;
}
