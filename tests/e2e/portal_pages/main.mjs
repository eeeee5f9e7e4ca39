// Walks every page of the portal in both languages and themes, as operator, reader and field
// technician, and fails on any console error, CSP violation, failed request or finding of axe.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Browser } from './browser.mjs';
import { signIn } from './acts.mjs';
import { firstUse } from './first_use.mjs';
import { rights } from './rights.mjs';
import { deeds } from './deeds.mjs';
import { platformPages, tenantPages } from './pages.mjs';
import { World } from './world.mjs';

const HELP = `usage: tests/e2e/portal [--build DIR] [--out DIR]
       tests/e2e/portal --against URL --user NAME --password-file FILE [--tenant KEY] [--out DIR]

Without --against it starts emtd of --build (default build/plain) with a fresh database, sets up a
tenant with the wizard, enrols and runs a simulated gateway with the command the page shows, and
tries the roles. With --against it only looks at the pages of a server that runs.

  --out DIR              screenshots and report.json, default build/portal
  --password-file FILE   its first line, or the line "password: …" of a first-login file
  --new-password-file F  where that one is a one-time password: what to exchange it for
  --tenant KEY           whose pages to walk, default the first one
  --two                  German light and English dark only: each language and theme once
  --quick                one language and theme only`;

const { values: given } = parseArgs({
  options: {
    against: { type: 'string' },
    user: { type: 'string' },
    'password-file': { type: 'string' },
    'new-password-file': { type: 'string' },
    tenant: { type: 'string' },
    build: { type: 'string' },
    out: { type: 'string' },
    two: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function passwordIn(file) {
  const text = readFileSync(file, 'utf8');
  return (/^password:\s*(\S+)/m.exec(text)?.[1] ?? text.split('\n')[0]).trim();
}

const STYLES = given.quick
  ? [{ language: 'de', theme: 'light' }]
  : given.two
    ? [
        { language: 'de', theme: 'light' },
        { language: 'en', theme: 'dark' },
      ]
    : ['de', 'en'].flatMap((language) => ['light', 'dark'].map((theme) => ({ language, theme })));

async function walk(browser, world, style) {
  const walker = await browser.companion(style);
  const pages = [...(await platformPages(walker, world)), ...(await tenantPages(walker, world))];
  for (const { name, path, open } of pages) await walker.visit(name, path, open);
  browser.looked += walker.looked;
  await walker.context.close();
}

/** Two languages or themes beside each other: a page waits more than it computes. */
async function walkAll(browser, world) {
  const waiting = [...STYLES];
  const next = async () => {
    for (let style = waiting.shift(); style; style = waiting.shift())
      await walk(browser, world, style);
  };
  await Promise.all([next(), next()]);
}

async function againstRunning(browser, out) {
  const user = {
    name: given.user,
    password: passwordIn(given['password-file']),
  };
  if (given['new-password-file']) user.newPassword = passwordIn(given['new-password-file']);
  const world = { url: given.against, tenant: given.tenant, out };
  await browser.visit('login', '/login');
  await signIn(browser, user);
  const session = await browser.get('/api/v1/session');
  world.tenant ??= session.tenants[0]?.key;
  if (!world.tenant) throw new Error('no tenant to look at: name one with --tenant');
  await walkAll(browser, world);
}

async function fromNothing(browser, out) {
  const world = await World.start({ build: given.build ?? 'build/plain', out });
  try {
    browser.base = world.url;
    await firstUse(browser, world);
    await world.fill(browser);
    await walkAll(browser, world);
    await deeds(browser, world);
    await rights(browser, world);
  } finally {
    await browser.leave();
    await world.stop();
  }
}

async function main() {
  if (given.help) return console.log(HELP);
  if (given.against && !(given.user && given['password-file'])) {
    console.error('portal: --against needs --user and --password-file');
    process.exit(2);
  }
  const out = given.out ?? 'build/portal';
  mkdirSync(out, { recursive: true });
  const browser = await Browser.start({
    base: given.against?.replace(/\/$/, ''),
    out,
  });
  try {
    await (given.against ? againstRunning(browser, out) : fromNothing(browser, out));
  } catch (error) {
    browser.fail('run', error.stack ?? String(error));
    await browser.shoot('at-the-end');
  } finally {
    await browser.stop();
  }
  const { failures, looked, figures } = browser;
  writeFileSync(`${out}/report.json`, JSON.stringify({ looked, figures, failures }, null, 2));
  for (const { at, what } of failures) console.error(`FAIL ${at}: ${what}`);
  console.log(
    `portal: ${looked} pages looked at, ${failures.length} failures, ${JSON.stringify(figures)}`,
  );
  process.exit(failures.length > 0 ? 1 : 0);
}

await main();
