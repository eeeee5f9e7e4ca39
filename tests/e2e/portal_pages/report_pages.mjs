/** Templates of reports: their page and forms, one made through the form, a schedule that uses it. */

const form = (fill) => async (page) => {
  await page
    .getByRole('button', { name: /Vorlage anlegen|New template/ })
    .first()
    .click();
  const open = page.getByRole('dialog');
  await open.waitFor();
  await page.waitForTimeout(250);
  await fill(open);
};

const look = async (open) => {
  await open.getByRole('button', { name: /^(Vorschau|Preview)$/ }).click();
  await open.locator('pre').waitFor();
};

/** A template through its form, refused once; then a schedule that makes its report by events. */
export async function reportDeeds(browser, world) {
  browser.name = 'make a report';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/reports`);
  await page.getByRole('button', { name: 'Vorlage anlegen' }).first().click();
  const open = page.getByRole('dialog');
  await open.getByLabel(/^Name/).fill('Tagesliste');
  await open.getByLabel('Beginnen mit').selectOption('meters');
  await open.getByRole('textbox', { name: /^Spalten/ }).fill('meter\nnonsense');
  await browser.expecting([`/api/v1/tenants/${world.tenant}/report-templates`], async () => {
    await open.getByRole('button', { name: 'Anlegen' }).click();
    await open.getByText('there is no such field').waitFor();
  });
  await open
    .getByRole('textbox', { name: /^Spalten/ })
    .fill('meter\nplace\nvalue=Zählerstand\nunit');
  await look(open);
  await open.getByText('Zählernummer;Ort;Zählerstand;Einheit').waitFor();
  await browser.look();
  await browser.shoot('report-form');
  await open.getByRole('button', { name: 'Anlegen' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByRole('cell', { name: 'Tagesliste' }).first().waitFor();
  await browser.look();
  await browser.shoot('report-made');
  await makeSchedule(browser, world);
}

async function makeSchedule(browser, world) {
  browser.name = 'schedule a report';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/schedules`);
  await page.getByRole('button', { name: 'Zeitplan anlegen' }).first().click();
  const open = page.getByRole('dialog');
  await open.getByLabel('Name').fill('Bericht bei Alarm');
  await open.getByLabel(/^Zeitmuster/).fill('');
  await open.getByLabel(/^Inhalt/).selectOption({ label: 'Bericht Tagesliste' });
  await open.getByLabel('Bei Ereignissen').fill('alarm');
  await open.getByLabel(/^Zähler vorher auslesen/).check();
  await open.getByLabel('Frist in Sekunden').fill('60');
  await open.getByRole('button', { name: 'Anlegen' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByRole('cell', { name: 'Bericht bei Alarm' }).first().waitFor();
  await browser.look();
  await browser.shoot('report-scheduled');
}

export async function reportPages(browser, world) {
  const base = `/t/${world.tenant}`;
  const { items } = await browser.get(`/api/v1/tenants/${world.tenant}/report-templates`);
  return [
    { name: 'reports', path: `${base}/reports` },
    { name: 'report-new', path: `${base}/reports`, open: form(look) },
    {
      name: 'report-new-all',
      path: `${base}/reports`,
      open: form(async (open) => {
        await open.locator('summary').click();
        await open.getByLabel(/^(Dateiname|Name of the file)/).waitFor();
      }),
    },
    ...(items.length > 0
      ? [
          {
            name: 'report-edit',
            path: `${base}/reports`,
            open: async (page) => {
              await page
                .getByRole('button', { name: /^(Aktionen für|Actions for)/ })
                .first()
                .click();
              await page.getByRole('menuitem', { name: /^(Bearbeiten|Edit)$/ }).click();
              await page.getByRole('dialog').waitFor();
              await page.waitForTimeout(250);
            },
          },
        ]
      : []),
  ];
}
