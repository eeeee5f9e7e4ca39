/** Certificates: the page, a CA from file with its list, a pinned device, a further CA, a triple. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Certificates as others make them, with OpenSSL. */
class Maker {
  constructor(world) {
    this.dir = join(world.dir, 'certificates');
    mkdirSync(this.dir, { recursive: true });
  }

  path(name) {
    return join(this.dir, name);
  }

  openssl(...args) {
    const done = spawnSync('openssl', args, { cwd: this.dir, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(`openssl ${args.join(' ')}: ${done.stderr}`);
  }

  /** NAME.pem and NAME.key, signed by itself. */
  make(name, days, ...extensions) {
    this.openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', `/CN=${name}`, '-days', String(days)],
      ...['-keyout', `${name}.key`, '-out', `${name}.pem`],
      ...extensions.flatMap((text) => ['-addext', text]),
    );
  }

  /** NAME.crl: nothing is revoked. */
  list(name) {
    writeFileSync(this.path('index.txt'), '');
    writeFileSync(this.path('number'), '01\n');
    writeFileSync(
      this.path('ca.conf'),
      '[ca]\ndefault_ca=one\n[one]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n',
    );
    this.openssl(
      ...['ca', '-gencrl', '-config', 'ca.conf', '-crldays', '7', '-out', `${name}.crl`],
      ...['-keyfile', `${name}.key`, '-cert', `${name}.pem`],
    );
  }

  /** A file of DER in the place of PEM. */
  der(name) {
    this.openssl('x509', '-in', `${name}.pem`, '-outform', 'DER', '-out', `${name}.der`);
    return this.path(`${name}.der`);
  }
}

/** An import that the walk finds: it ends soon, and its list is missing. */
export async function fillCertificates(browser, world) {
  const maker = new Maker(world);
  maker.make('Alte CA', 20, 'keyUsage=critical,keyCertSign,cRLSign');
  await browser.post(`/api/v1/tenants/${world.tenant}/certificates`, {
    purpose: 'gateway',
    name: 'Alte CA',
    certificate: readFileSync(maker.path('Alte CA.pem'), 'utf8'),
    crl_policy: 'alarm',
  });
}

/** A FileInput is a button that stands for a hidden input. */
async function choose(browser, dialog, label, file) {
  const [chooser] = await Promise.all([
    browser.page.waitForEvent('filechooser'),
    dialog.getByRole('button', { name: label }).click(),
  ]);
  await chooser.setFiles(file);
}

const press = (dialog, name) => dialog.getByRole('button', { name, exact: true }).click();

export async function certificateDeeds(browser, world) {
  const maker = new Maker(world);
  await importCa(browser, world, maker);
  await pinDevice(browser, world, maker);
  await nextAuthority(browser, world);
  await triple(browser, world, maker);
}

/** From DER; nonsense is refused at its field; its list is brought; it is let go again. */
async function importCa(browser, world, maker) {
  browser.name = 'import a CA';
  const { page } = browser;
  maker.make('Hersteller', 700, 'keyUsage=critical,keyCertSign,cRLSign');
  maker.list('Hersteller');
  await browser.go(`/t/${world.tenant}/certificates`);
  await page.getByRole('button', { name: 'Zertifikat importieren' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Bezeichnung').fill('Hersteller-CA');
  await dialog.getByLabel(/als Text/).fill('kein Zertifikat');
  await browser.expecting([`/api/v1/tenants/${world.tenant}/certificates`], async () => {
    await press(dialog, 'Importieren');
    await dialog.getByText(/^certificate: /).waitFor();
  });
  await choose(browser, dialog, /^Datei/, maker.der('Hersteller'));
  await browser.look();
  await browser.shoot('certificate-form');
  await press(dialog, 'Importieren');
  await page.getByRole('heading', { name: 'Hersteller-CA' }).waitFor();
  await page.getByRole('button', { name: 'Sperrliste bringen' }).click();
  await choose(browser, dialog, /^Sperrliste/, maker.path('Hersteller.crl'));
  await press(dialog, 'Übernehmen');
  await dialog.waitFor({ state: 'detached' });
  await page.getByText('aktuell', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Bearbeiten' }).click();
  await dialog.getByLabel(/^Wenn sie fehlt/).selectOption({ label: 'Alarm' });
  await press(dialog, 'Speichern');
  await dialog.waitFor({ state: 'detached' });
  await browser.look();
  await browser.shoot('certificate-with-list');
  await page.getByRole('button', { name: 'Entfernen' }).click();
  await press(dialog, 'Entfernen');
  await page.getByRole('heading', { name: 'Zertifikate', exact: true }).waitFor();
  await page.getByRole('link', { name: 'Hersteller-CA' }).waitFor({ state: 'detached' });
}

/** A device of others, never seen; its gateway's page has it. */
async function pinDevice(browser, world, maker) {
  browser.name = 'pin a device';
  const { page } = browser;
  maker.make(
    'logger',
    80,
    'keyUsage=critical,digitalSignature',
    'basicConstraints=critical,CA:FALSE',
  );
  await browser.post(`/api/v1/tenants/${world.tenant}/gateways`, { id: 'logger-1' });
  await browser.go(`/t/${world.tenant}/certificates`);
  await page.getByRole('button', { name: 'Zertifikat importieren' }).click();
  const dialog = page.getByRole('dialog');
  await dialog
    .getByLabel('Art')
    .selectOption({ label: 'Zertifikat eines Fremdgeräts (Datenlogger)' });
  await dialog.getByLabel('Bezeichnung').fill('Logger');
  await choose(browser, dialog, /^Datei/, maker.path('logger.pem'));
  await dialog.getByLabel('Gateway', { exact: true }).fill('logger-1');
  await browser.shoot('certificate-pin');
  await press(dialog, 'Importieren');
  await page.getByRole('heading', { name: 'Logger' }).waitFor();
  await page.getByText('nie gesehen').waitFor();
  await page.getByRole('link', { name: 'logger-1' }).click();
  await page.getByRole('link', { name: 'importiert' }).waitFor();
  await browser.look();
  await browser.shoot('certificate-of-gateway');
}

async function nextAuthority(browser, world) {
  browser.name = 'another CA';
  const { page } = browser;
  await browser.go(`/t/${world.tenant}/certificates`);
  await page.getByRole('button', { name: 'Neue CA anlegen' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Schlüssel der CA').selectOption('brainpoolP256r1');
  await press(dialog, 'Anlegen');
  await dialog.waitFor({ state: 'detached' });
  await page.getByText('gültig, stellt nicht mehr aus').waitFor();
  await page.getByRole('button', { name: 'Aktionen für CA 1' }).click();
  await page.getByRole('menuitem', { name: 'CA sperren' }).click();
  await dialog.getByText(/^Alle Zertifikate, die diese CA/).waitFor();
  await browser.look();
  await browser.shoot('certificate-authorities');
  await press(dialog, 'Abbrechen');
}

/** Six files; then it is deleted again. */
async function triple(browser, world, maker) {
  browser.name = 'a triple';
  const { page } = browser;
  maker.make('sig', 700, 'keyUsage=critical,digitalSignature');
  maker.make('enc', 700, 'keyUsage=critical,keyAgreement');
  maker.make(
    'tls',
    700,
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=serverAuth,clientAuth',
  );
  await page.getByRole('button', { name: 'Tripel hinzufügen' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Bezeichnung').fill('2026');
  for (const use of ['sig', 'enc', 'tls']) {
    await choose(browser, dialog, `Zertifikat ${use.toUpperCase()}`, maker.path(`${use}.pem`));
    await choose(browser, dialog, `Schlüssel ${use.toUpperCase()}`, maker.path(`${use}.key`));
  }
  await browser.look();
  await browser.shoot('certificate-triple');
  await press(dialog, 'Hinzufügen');
  await dialog.waitFor({ state: 'detached' });
  await page
    .getByRole('cell', { name: /^aktuell/ })
    .first()
    .waitFor();
  await browser.look();
  await page.getByRole('button', { name: 'Aktionen für Tripel 2026' }).click();
  await page.getByRole('menuitem', { name: 'Löschen' }).click();
  await press(dialog, 'Löschen');
  await page
    .getByRole('cell', { name: /^aktuell/ })
    .first()
    .waitFor({ state: 'detached' });
}

export async function certificatePages(browser, world) {
  const base = `/t/${world.tenant}`;
  const { items } = await browser.get(`/api/v1/tenants/${world.tenant}/certificates?limit=1`);
  return [
    { name: 'certificates', path: `${base}/certificates` },
    ...(items.length > 0
      ? [{ name: 'certificate', path: `${base}/certificates/${items[0].id}` }]
      : []),
  ];
}
