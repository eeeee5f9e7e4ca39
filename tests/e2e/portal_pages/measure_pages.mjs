/** The pages about measured values: addresses, and what to open on them. */

const dialog = (name) => async (page) => {
  await page.getByRole('button', { name }).first().click();
  await page.getByRole('dialog').waitFor();
  await page.waitForTimeout(250);
};

const chart = async (page) => {
  await page.locator('.u-over').waitFor();
  await page.waitForTimeout(400);
};

/** Two temperatures in one chart, for a day; meters without them keep their own curve. */
const overlaid = async (page) => {
  await chart(page);
  for (const name of [/Vorlauf|Flow temp/, /Rücklauf|Return temp/]) {
    const box = page.getByRole('checkbox', { name }).first();
    if ((await box.count()) > 0) await box.check();
  }
  await page.getByRole('button', { name: /^(Tag|Day)$/ }).click();
  await chart(page);
};

/** A key list with a bad line beside a good one: each has its result. */
const importKeys = async (page) => {
  await dialog(/CSV/)(page);
  const open = page.getByRole('dialog');
  await open
    .getByRole('textbox', { name: /Zeilen|lines/ })
    .fill('address;key\n12345678;zz\n87654321;000102030405060708090a0b0c0d0e0f');
  await open.getByRole('button', { name: /^(Importieren|Import)$/ }).click();
  await open.getByRole('cell', { name: /abgelehnt|rejected/ }).waitFor();
};

const typed = (code) => async (page) => {
  await dialog(/Lokation anlegen|Create location/)(page);
  await page.getByRole('dialog').getByRole('textbox', { name: /^Code/ }).fill(code);
};

async function firstOf(browser, path) {
  return (await browser.get(path)).items[0];
}

export async function measurePages(browser, world) {
  const base = `/t/${world.tenant}`;
  const api = `/api/v1/tenants/${world.tenant}`;
  const device =
    (await firstOf(browser, `${api}/devices?limit=1&medium=heat`)) ??
    (await firstOf(browser, `${api}/devices?limit=1`));
  const location = await firstOf(browser, `${api}/locations?limit=1`);
  const frame = await firstOf(browser, `${api}/frames?limit=1&state=ok`);
  const waiting = await firstOf(browser, `${api}/frames?limit=1&state=key-needed`);
  const file = await firstOf(browser, `${api}/exports?limit=1`);
  const at = ({ gateway, spool, seq }) => `${base}/frames/${gateway}/${spool}/${seq}`;
  const meter = device && `${base}/devices/${encodeURIComponent(device.id)}`;
  return [
    { name: 'overview', path: base },
    { name: 'devices', path: `${base}/devices` },
    { name: 'devices-none-match', path: `${base}/devices?q=zzzz` },
    {
      name: 'devices-import',
      path: `${base}/devices`,
      open: dialog(/CSV/),
    },
    ...(device
      ? [
          { name: 'device', path: meter, open: chart },
          { name: 'device-overlaid', path: meter, open: overlaid },
          {
            name: 'device-edit',
            path: meter,
            open: dialog(/^(Bearbeiten|Edit)$/),
          },
        ]
      : []),
    { name: 'frames', path: `${base}/frames` },
    {
      name: 'frames-replay',
      path: `${base}/frames`,
      open: dialog(/Erneut dekodieren|Decode again/),
    },
    ...(frame ? [{ name: 'frame', path: at(frame) }] : []),
    ...(waiting ? [{ name: 'frame-waiting', path: at(waiting) }] : []),
    { name: 'keys', path: `${base}/keys` },
    {
      name: 'key-add',
      path: `${base}/keys?add=1&number=12345678&manufacturer=KAM`,
      open: async (page) => {
        const open = page.getByRole('dialog');
        await open.getByRole('button', { name: /eintragen|Add/ }).click();
        await open.getByText(/32 Hexziffern sein|Must be 32/).waitFor();
      },
    },
    { name: 'key-import', path: `${base}/keys`, open: importKeys },
    { name: 'locations', path: `${base}/locations` },
    {
      name: 'location-malo',
      path: `${base}/locations`,
      open: typed('50820849851'),
    },
    {
      name: 'location-melo',
      path: `${base}/locations`,
      open: typed('DE000999101150000'),
    },
    ...(location
      ? [
          { name: 'location', path: `${base}/locations/${location.code}` },
          {
            name: 'binding-add',
            path: `${base}/locations/${location.code}`,
            open: dialog(/Register binden|Bind register/),
          },
          {
            name: 'location-edit',
            path: `${base}/locations/${location.code}`,
            open: dialog(/Stammdaten ändern|Change master data/),
          },
          {
            name: 'mandate-add',
            path: `${base}/locations/${location.code}`,
            open: dialog(/Berechtigung eintragen|Note a mandate/),
          },
        ]
      : []),
    { name: 'exports', path: `${base}/exports` },
    {
      name: 'exports-filtered',
      path: `${base}/exports?what=13018&from=2020-01-01&created_to=2040-01-01`,
    },
    {
      name: 'export-order',
      path: `${base}/exports`,
      open: dialog(/MSCONS beauftragen|Order MSCONS/),
    },
    ...(file
      ? [
          {
            name: 'export-file',
            path: `${base}/exports`,
            open: dialog(file.file_name),
          },
        ]
      : []),
    { name: 'jobs', path: `${base}/jobs` },
    { name: 'conflicts', path: `${base}/conflicts` },
    { name: 'events', path: `${base}/events` },
  ];
}
