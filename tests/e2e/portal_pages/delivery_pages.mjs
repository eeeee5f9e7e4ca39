/** Schedules, targets and deliveries: what they need to show something, their pages, their deeds. */

const MELO = 'DE0009991011500000000000000000001';

const dialog = (name) => async (page) => {
  await page.getByRole('button', { name }).first().click();
  await page.getByRole('dialog').waitFor();
  await page.waitForTimeout(250);
};

/** A form with each kind's own fields in view. */
const kind = (value) => async (page) => {
  await dialog(/Ziel anlegen|New target/)(page);
  await page.getByRole('dialog').locator('select').first().selectOption(value);
};

const pattern = (text, says) => async (page) => {
  await dialog(/Zeitplan anlegen|New schedule/)(page);
  const open = page.getByRole('dialog');
  await open.getByLabel(/^(Zeitmuster|Pattern of times)/).fill(text);
  await open.getByText(says).first().waitFor();
};

const action = (button, item) => async (page) => {
  await page.getByRole('button', { name: button }).first().click();
  await page.getByRole('menuitem', { name: item }).click();
  await page.getByRole('dialog').waitFor();
  await page.waitForTimeout(250);
};

async function until(what, ask, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 500));
  }
}

/** A location with values, a target that works and one that refuses, and a schedule that ran. */
export async function fillDelivery(browser, world) {
  const base = `/api/v1/tenants/${world.tenant}`;
  await browser.patch(base, { own_mp_id: '9900999000106' });
  const energy = await until('a meter of electricity', async () => {
    const { items } = await browser.get(`${base}/devices?medium=electricity`);
    for (const { id } of items) {
      const channels = (await browser.get(`${base}/devices/${id}/channels`)).items;
      const found = channels.find(
        ({ quantity, storage, tariff, qualifier }) =>
          quantity === 'energy' && storage === 0 && tariff === 0 && !qualifier.includes('export'),
      );
      if (found) return found;
    }
    return undefined;
  });
  await browser.post(`${base}/locations`, {
    code: MELO,
    kind: 'melo',
    receiver_mp_id: '9900999000205',
  });
  await browser.post(`${base}/locations/${MELO}/bindings`, {
    channel: energy.id,
    obis: '1-1:1.29.0',
    device_number: '1',
    valid_from: '2020-01-01T00:00:00Z',
  });
  const folder = await browser.post(`${base}/targets`, {
    name: 'Ablage',
    kind: 'local',
    path: 'edi',
  });
  const partner = await browser.post(`${base}/targets`, {
    name: 'Netz Grünau',
    kind: 'https',
    // The server itself, whose certificate nobody trusts: refused for good.
    host: 'localhost',
    port: Number(new URL(world.url).port),
    path: '/edi/in',
    user: 'stadtwerke',
    password: 'Laterne am Steg',
  });
  const schedule = await browser.post(`${base}/schedules`, {
    name: 'Lastgänge',
    cron: '0 3 * * mon-fri|30 4 1 * *',
    pid: '13018',
    days: 1,
    target: partner.id,
    second_target: folder.id,
  });
  // Yesterday's values are still coming in: once more until there is a file.
  let said = '';
  await until('a file of the schedule', async () => {
    const { id } = await browser.post(`${base}/schedules/${schedule.id}/run`, {});
    const job = await until('the run', async () => {
      const now = await browser.get(`${base}/jobs/${id}`);
      return ['done', 'failed'].includes(now.state) ? now : undefined;
    });
    said = JSON.stringify(job);
    return job.result?.files?.length > 0;
  }).catch((error) => {
    throw new Error(`${error.message}: ${said}`);
  });
  await until('two deliveries', async () => {
    const { items } = await browser.get(`${base}/deliveries`);
    said = JSON.stringify(items);
    const states = items.map(({ state }) => state);
    return states.includes('failed') && states.includes('delivered');
  }).catch((error) => {
    throw new Error(`${error.message}: ${said}`);
  });
}

export async function deliveryPages(browser, world) {
  const base = `/t/${world.tenant}`;
  const api = `/api/v1/tenants/${world.tenant}`;
  const first = async (path) => (await browser.get(`${api}${path}`)).items[0];
  // Another server than ours has targets of its own: only these two are opened and tried.
  const names = (await browser.get(`${api}/targets`)).items.map(({ name }) => name);
  const ours = names.includes('Ablage') && names.includes('Netz Grünau');
  const schedule = await first('/schedules?limit=1');
  const failed = await first('/deliveries?limit=1&state=failed');
  const kinds = ['sftp', 'ftp', 'ftps', 'ftps-implicit', 'https', 'mail', 'local'];
  return [
    { name: 'schedules', path: `${base}/schedules` },
    {
      name: 'schedule-new',
      path: `${base}/schedules`,
      open: pattern('*/15 8-17 * * mon-fri', /Montag bis Freitag|Monday to Friday/),
    },
    {
      name: 'schedule-wrong',
      path: `${base}/schedules`,
      open: pattern('0 24 * * *', /Die Stunde stimmt nicht|The hour is wrong/),
    },
    ...(schedule
      ? [
          {
            name: 'schedule-edit',
            path: `${base}/schedules`,
            open: action(/^(Aktionen für|Actions for)/, /^(Bearbeiten|Edit)$/),
          },
          {
            name: 'schedule-delete',
            path: `${base}/schedules`,
            open: action(/^(Aktionen für|Actions for)/, /^(Löschen|Delete)$/),
          },
        ]
      : []),
    { name: 'targets', path: `${base}/targets` },
    ...kinds.map((value) => ({
      name: `target-new-${value}`,
      path: `${base}/targets`,
      open: kind(value),
    })),
    ...(ours
      ? [
          {
            name: 'target-edit',
            path: `${base}/targets`,
            open: action(/^(Aktionen für|Actions for) Netz/, /^(Bearbeiten|Edit)$/),
          },
          {
            name: 'target-tested',
            path: `${base}/targets`,
            open: async (page) => {
              await page.getByRole('button', { name: /Ablage testen|Test Ablage/ }).click();
              await page
                .getByRole('status')
                .getByText(/^(angekommen|delivered|war schon da|was there already)$/)
                .waitFor();
            },
          },
        ]
      : []),
    { name: 'deliveries', path: `${base}/deliveries` },
    { name: 'deliveries-none-match', path: `${base}/deliveries?state=unknown` },
    ...(failed
      ? [
          {
            name: 'delivery',
            path: `${base}/deliveries?state=failed`,
            open: dialog(failed.file_name),
          },
          {
            name: 'delivery-again',
            path: `${base}/deliveries?state=failed`,
            open: dialog(/erneut an|Send .* again/),
          },
          {
            name: 'export-deliveries',
            path: `${base}/exports`,
            open: async (page) => {
              await dialog(failed.file_name)(page);
              await page
                .getByRole('dialog')
                .getByText(/^(fehlgeschlagen|failed)$/)
                .first()
                .waitFor();
            },
          },
        ]
      : []),
  ];
}
