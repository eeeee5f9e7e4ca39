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

async function until(what, ask, seconds = 300) {
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
  const { items } = await browser.get(`${base}/exports`);
  await browser.post(
    `${base}/acknowledgements`,
    contrl(items[0], `4'UCM+1+MSCONS:D:04B:UN:2.5+4'UCS+14'UCD+12+2:2`),
    {
      'Content-Type': 'application/edifact',
    },
  );
  await browser.post(
    `${base}/acknowledgements`,
    contrl({ ...items[0], reference: 'UNBEKANNT' }, '7'),
    {
      'Content-Type': 'application/edifact',
    },
  );
}

/** A CONTRL of the file's receiver; what stands behind the action may hold more segments. */
let answers = 0;
function contrl({ reference, sender, receiver }, action) {
  answers += 1;
  const own = `C${answers}`;
  const segments = `UCI+${reference}+${sender}:500+${receiver}:500+${action}`;
  const count = segments.split("'").length + 2;
  return (
    `UNB+UNOC:3+${receiver}:500+${sender}:500+261121:0320+${own}'UNH+1+CONTRL:D:3:UN:2.0b'` +
    `${segments}'UNT+${count}+1'UNZ+1+${own}'`
  );
}

/** A target, a schedule, a deadline and an answer through their forms; what was rejected is set right and goes out anew. */
export async function deliveryDeeds(browser, world) {
  await makeTarget(browser, world);
  await makeSchedule(browser, world);
  await setDeadline(browser, world);
  await upload(browser, world);
  await correct(browser, world);
  await resend(browser, world);
  await filter(browser, world);
  await followValue(browser, world);
}

async function makeTarget(browser, world) {
  browser.name = 'make a target';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/targets`);
  await page.getByRole('button', { name: 'Ziel anlegen' }).first().click();
  const open = page.getByRole('dialog');
  await open.locator('select').first().selectOption('sftp');
  await open.getByLabel(/^Name/).fill('Messstelle Süd');
  await open.getByLabel('Nur Dateien für').fill('9900999000206');
  await open.getByLabel(/^Server/).fill('sftp.example.org');
  await open.getByLabel(/^Benutzer/).fill('stadtwerke');
  await open.getByLabel(/^Fingerabdruck/).fill('kein Fingerabdruck');
  await open
    .getByLabel(/^Passwort/)
    .first()
    .fill('Laterne am Steg');
  await open.getByRole('button', { name: 'Anlegen' }).click();
  await open.getByText('SHA256: und 43 Zeichen').waitFor();
  await open.getByLabel(/^Fingerabdruck/).fill(`SHA256:${'a'.repeat(43)}`);
  await open.getByRole('button', { name: 'Anlegen' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByRole('cell', { name: 'Messstelle Süd' }).first().waitFor();
  await browser.look();
  await browser.shoot('target-made');
  await action(/^Aktionen für Messstelle Süd/, 'Bearbeiten')(page);
  await open.getByLabel('Nur Dateien für').fill('9900999000205');
  await open.getByRole('button', { name: 'Speichern' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByRole('cell', { name: '9900999000205' }).first().waitFor();
}

async function makeSchedule(browser, world) {
  browser.name = 'make a schedule';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/schedules`);
  await page.getByRole('button', { name: 'Zeitplan anlegen' }).first().click();
  const open = page.getByRole('dialog');
  await open.getByLabel(/^Zeitmuster/).fill('0 24 * * *');
  await open.getByRole('button', { name: 'Anlegen' }).click();
  await open.getByText('Bitte ausfüllen').waitFor();
  await open.getByLabel('Name').fill('Zählerstände');
  await open.getByLabel(/^Zeitmuster/).fill('?10-40 2 1 * *');
  await open.getByText(/zu einer ausgelosten Minute: .* – 02:40 · /).waitFor();
  await open.getByLabel(/^Inhalt/).selectOption('13017');
  await open.getByLabel('Ziel', { exact: true }).selectOption({ label: 'Messstelle Süd' });
  await open.getByLabel('Ersatzziel').selectOption({ label: 'Ablage' });
  await open.getByRole('button', { name: 'Anlegen' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByRole('cell', { name: 'Zählerstände' }).first().waitFor();
  await browser.look();
  await browser.shoot('schedule-made');
  await action(/^Aktionen für Zählerstände/, 'Bearbeiten')(page);
  await open.getByLabel('Name').fill('Zählerstände am Ersten');
  await open.getByRole('button', { name: 'Speichern' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByRole('cell', { name: 'Zählerstände am Ersten' }).first().waitFor();
}

async function setDeadline(browser, world) {
  browser.name = 'set a deadline';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/acknowledgements`);
  await page.getByRole('button', { name: 'Frist setzen' }).click();
  const open = page.getByRole('dialog');
  await open.getByLabel('Partner').fill('12');
  await open.getByRole('button', { name: 'Speichern' }).click();
  await open.getByText('13 Ziffern').waitFor();
  await open.getByLabel('Partner').fill('9900999000205');
  await open.getByLabel('Stunden').fill('6');
  await open.getByRole('button', { name: 'Speichern' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByText('6 Stunden').waitFor();
  await page.getByRole('button', { name: 'Frist für 9900999000205 entfernen' }).click();
  await page.getByText('6 Stunden').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Partner setzen' }).click();
  await open.getByLabel('Partner').fill('9900999000205');
  await open.getByLabel('Nachrichten je Datei').fill('7');
  await open.getByRole('button', { name: 'Speichern' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Partner 9900999000205 entfernen' }).click();
  await open.getByRole('button', { name: 'Entfernen' }).click();
  await page.getByText('Nachrichten: 7').waitFor({ state: 'detached' });
}

async function upload(browser, world) {
  browser.name = 'upload an acknowledgement';
  const { page } = browser;
  const { items } = await browser.get(`/api/v1/tenants/${world.tenant}/exports`);
  await browser.go(`/t/${world.tenant}/acknowledgements`);
  await page.getByRole('button', { name: 'Rückmeldung hochladen' }).click();
  const open = page.getByRole('dialog');
  const choose = async (name, text) => {
    const chooser = page.waitForEvent('filechooser');
    await open.getByRole('button', { name: /^Art/ }).click();
    await (await chooser).setFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });
  };
  await open.getByRole('button', { name: 'Übernehmen' }).click();
  await open.getByText('Bitte eine Datei wählen').waitFor();
  await choose('worte.txt', 'kein EDIFACT');
  await browser.expecting(['/acknowledgements'], async () => {
    await open.getByRole('button', { name: 'Übernehmen' }).click();
    await open.getByText(/not an EDIFACT file/).waitFor();
  });
  await choose('CONTRL.txt', contrl(items[0], '4+28+UNZ+2'));
  await open.getByRole('button', { name: 'Übernehmen' }).click();
  await page.getByText('Rückmeldung im Einzelnen').waitFor();
  await page.getByRole('dialog').getByText('abgelehnt').first().waitFor();
  await page.waitForTimeout(250);
  await browser.look();
  await browser.shoot('acknowledgement-taken');
}

/** From a rejected file to the mapping of its place, which was wrong from its first day on. */
async function correct(browser, world) {
  browser.name = 'set a mapping right';
  const { page } = browser;
  const { items } = await browser.get(`/api/v1/tenants/${world.tenant}/exports?state=rejected`);
  await browser.go(`/t/${world.tenant}/exports/${items[0].id}`);
  await page.getByText('So wird daraus eine gute Datei').waitFor();
  await page.getByRole('link', { name: MELO }).first().click();
  await page.getByRole('button', { name: /^Bindung 1-1:1.29.0 ändern/ }).click();
  const open = page.getByRole('dialog');
  await open.getByLabel('Gerätenummer').fill('1EMT0012345678');
  await open.getByLabel('Endstand').fill('12');
  await open.getByRole('button', { name: 'Speichern' }).click();
  await open.getByText('Dazu gehört ein Tag bei').waitFor();
  await open.getByLabel('Endstand').fill('');
  await open.getByLabel('Anfangsstand').fill('0,5');
  await browser.look();
  await browser.shoot('binding-change');
  await open.getByRole('button', { name: 'Speichern' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByRole('cell', { name: '1EMT0012345678' }).waitFor();
  await page.getByRole('cell', { name: '0,5' }).waitFor();
  await page.getByRole('button', { name: 'Stammdaten ändern' }).click();
  await open.getByLabel('Empfänger (MP-ID)').fill('12');
  await open.getByRole('button', { name: 'Speichern' }).click();
  await open.getByText('13 Ziffern, oder leer').waitFor();
  await open.getByLabel('Empfänger (MP-ID)').fill('9900999000205');
  await open.getByLabel('Name').fill('Bahnhofstraße 7');
  await open.getByRole('button', { name: 'Speichern' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByRole('heading', { name: 'Bahnhofstraße 7' }).waitFor();
  await browser.look();
  await browser.shoot('location-corrected');
}

/** Lists of files by what became of them; the filter stands in the address. */
async function filter(browser, world) {
  browser.name = 'filter exports';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/exports`);
  await page.getByRole('search').getByLabel('Stand').selectOption('rejected');
  await page.waitForURL(/state=rejected/);
  await page.getByRole('search').getByLabel('Empfänger').fill('9900999000999');
  await page.getByText('Keine Datei passt zu diesen Filtern.').waitFor();
  await page.getByRole('button', { name: 'Filter zurücksetzen' }).first().click();
  await page.waitForURL((url) => url.search === '');
  await page
    .getByRole('button', { name: /^MSCONS_/ })
    .first()
    .waitFor();
}

async function resend(browser, world) {
  browser.name = 'send anew';
  const { page } = browser;
  const { items } = await browser.get(`/api/v1/tenants/${world.tenant}/exports`);
  const file = items.find(({ state, replaced_by }) => state === 'rejected' && !replaced_by);
  browser.check(file, 'no rejected file to send anew');
  if (!file) return;
  await browser.go(`/t/${world.tenant}/exports/${file.id}`);
  await page.getByRole('button', { name: 'Neu senden' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Neu senden' }).click();
  await page
    .getByRole('status')
    .getByRole('link', { name: /^MSCONS_/ })
    .click();
  await page.getByText('Ersetzt Datei').waitFor();
  await browser.look();
  await browser.shoot('export-sent-anew');
  // The partner says that it never came.
  await page.getByRole('button', { name: 'Noch einmal an Ablage senden' }).click();
  const open = page.getByRole('dialog');
  await open.getByRole('button', { name: 'Noch einmal senden' }).click();
  await open.waitFor({ state: 'detached' });
  await page.getByText('2 Versuche').waitFor();
}

async function followValue(browser, world) {
  browser.name = 'from a file to a value and back';
  const { page } = browser;
  const { items } = await browser.get(`/api/v1/tenants/${world.tenant}/exports`);
  await browser.go(`/t/${world.tenant}/exports/${items[0].id}`);
  await page
    .getByRole('link', { name: /^Kanal \d/ })
    .first()
    .click();
  await page.getByRole('heading', { name: 'Weg des Wertes' }).waitFor();
  await page.getByRole('link', { name: items[0].reference }).first().click();
  await page.getByRole('heading', { name: items[0].reference }).waitFor();
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
  const answer = await first('/acknowledgements?limit=1');
  const file = await first('/exports?limit=1');
  const message = file ? await first(`/exports/${file.id}/messages?limit=1`) : undefined;
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
    { name: 'acknowledgements', path: `${base}/acknowledgements` },
    { name: 'acknowledgements-unmatched', path: `${base}/acknowledgements?unmatched=true` },
    {
      name: 'acknowledgement-upload',
      path: `${base}/acknowledgements`,
      open: dialog(/Rückmeldung hochladen|Upload an acknowledgement/),
    },
    {
      name: 'acknowledgement-deadline',
      path: `${base}/acknowledgements`,
      open: dialog(/Frist setzen|Set a deadline/),
    },
    ...(answer
      ? [{ name: 'acknowledgement', path: `${base}/acknowledgements?shown=${answer.id}` }]
      : []),
    ...(file ? [{ name: 'export-file', path: `${base}/exports/${file.id}` }] : []),
    ...(message
      ? [
          {
            name: 'value-trace',
            path: `${base}/channels/${message.channels[0]}/trace?at=${message.to}`,
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
