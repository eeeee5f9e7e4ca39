/** The pages about what people do with values: addresses, and deeds that lead to a result. */

const dialog = (name) => async (page) => {
  await page.getByRole('button', { name }).first().click();
  await page.getByRole('dialog').waitFor();
  await page.waitForTimeout(250);
};

/** A numeric channel with a value, or nothing. */
async function channelOf(browser, api) {
  for (const { id } of (await browser.get(`${api}/devices?limit=20`)).items) {
    const { items } = await browser.get(`${api}/devices/${encodeURIComponent(id)}/channels`);
    const found = items.find(({ kind, last, unit }) => kind === 'number' && last && unit);
    if (found) return found;
  }
  return undefined;
}

export async function valuePages(browser, world) {
  const base = `/t/${world.tenant}`;
  const channel = await channelOf(browser, `/api/v1/tenants/${world.tenant}`);
  return [
    ...(channel
      ? [
          { name: 'channel', path: `${base}/channels/${channel.id}` },
          {
            name: 'channel-correct',
            path: `${base}/channels/${channel.id}`,
            open: dialog(/^(Wert setzen|Set a value)$/),
          },
        ]
      : []),
    { name: 'calculated', path: `${base}/calculated` },
    {
      name: 'calculated-new',
      path: `${base}/calculated`,
      open: dialog(/Kanal berechnen|Calculate a channel/),
    },
  ];
}

/** A value is corrected and put back; a formula is refused with its reason, and then taken. */
export async function valueDeeds(browser, world) {
  const channel = await channelOf(browser, `/api/v1/tenants/${world.tenant}`);
  if (!channel) return;
  await correct(browser, world, channel);
  await calculate(browser, world, channel);
}

async function correct(browser, world, channel) {
  browser.name = 'correct a value';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/channels/${channel.id}`);
  await page.getByRole('button', { name: 'Korrigieren' }).first().click();
  const open = page.getByRole('dialog');
  await open.getByLabel(/Neuer Wert/).fill('1234,5');
  await open.getByRole('button', { name: 'Wert setzen' }).click();
  await open.getByText('Bitte ausfüllen').waitFor();
  await open.getByLabel('Grund').fill('abgelesen');
  await open.getByRole('button', { name: 'Wert setzen' }).click();
  await page.getByRole('cell', { name: 'gilt', exact: true }).waitFor();
  await browser.look();
  await browser.shoot('value-corrected');
  await page
    .getByRole('button', { name: /^Aktionen zu/ })
    .first()
    .click();
  await page.getByRole('menuitem', { name: 'Zurücknehmen' }).click();
  const sure = page.getByRole('dialog').getByRole('button', { name: 'Zurücknehmen' });
  browser.check(await sure.isDisabled(), 'withdrawing without a reason is offered');
  await page.getByRole('dialog').getByLabel('Grund').fill('doch richtig');
  await sure.click();
  await page.getByRole('cell', { name: 'zurückgenommen' }).waitFor();
}

async function calculate(browser, world, channel) {
  browser.name = 'calculate a channel';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/calculated`);
  await page.getByRole('button', { name: 'Kanal berechnen' }).first().click();
  const open = page.getByRole('dialog');
  await open.getByLabel('Name').fill('Doppelt');
  await open.getByLabel('Formel').fill(`2 * (c${channel.id}`);
  await browser.expecting(['/calculated-channels'], async () => {
    await open.getByRole('button', { name: 'Anlegen' }).click();
    await open.locator('[data-error], [role=alert]').first().waitFor();
  });
  await open.getByLabel('Formel').fill(`2 * c${channel.id}`);
  await open.getByRole('button', { name: 'Anlegen' }).click();
  await page.getByRole('cell', { name: `2 * c${channel.id}` }).waitFor();
  await browser.look();
  await browser.shoot('calculated-made');
}
