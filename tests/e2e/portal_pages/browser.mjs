import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

// The tools live with the portal; this folder has no packages of its own.
const require = createRequire(
  fileURLToPath(new URL('../../../admin-ui/package.json', import.meta.url)),
);
const { chromium } = require('playwright-core');
const { AxeBuilder } = require('@axe-core/playwright');

const CHROMIUM = process.env.EMT_CHROMIUM ?? '/usr/bin/chromium';

/** One browser with one page, which notes everything that goes wrong on it. */
export class Browser {
  failures = [];
  figures = {};
  looked = 0;
  /** substrings of addresses whose refusal a test is after */
  expected = [];

  static async start({ base, out }) {
    const self = new Browser();
    self.base = base;
    self.out = out;
    self.chromium = await chromium.launch({ executablePath: CHROMIUM });
    await self.fresh();
    return self;
  }

  /** Another page beside this one, logged in like it; what goes wrong there is noted here. */
  async companion(style) {
    const other = new Browser();
    const { base, out, chromium, failures, figures } = this;
    Object.assign(other, { base, out, chromium, failures, figures });
    await other.fresh(style, await this.context.storageState());
    return other;
  }

  /** A new context: no cookie but those of `state`, no stored choice. */
  async fresh(style = { language: 'de', theme: 'light' }, state = undefined) {
    await this.context?.close();
    this.context = await this.chromium.newContext({
      ignoreHTTPSErrors: true,
      viewport: { width: 1360, height: 850 },
      storageState: state,
      locale: 'de-DE',
      timezoneId: 'Europe/Berlin',
      reducedMotion: 'reduce',
      acceptDownloads: true,
    });
    await this.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await this.context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(
          `CSP ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`,
        );
      });
    });
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(30_000);
    this.listen();
    this.name = 'start';
    this.styleNow = style;
    await this.context.addInitScript(
      ([language, theme]) => {
        if (location.protocol !== 'https:' || sessionStorage.getItem('style-set')) return;
        localStorage.setItem('emt.language', language);
        localStorage.setItem('mantine-color-scheme-value', theme);
      },
      [style.language, style.theme],
    );
  }

  listen() {
    this.page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      const from = message.location().url ?? '';
      if (this.isExpected(from)) return;
      this.fail(this.name, `console: ${message.text()} ${from}`);
    });
    this.page.on('pageerror', (error) => this.fail(this.name, `exception: ${error.message}`));
    this.page.on('requestfailed', (request) => {
      const why = request.failure()?.errorText ?? '';
      // The page itself gives up what it no longer needs when one goes on.
      if (why === 'net::ERR_ABORTED' || this.isExpected(request.url())) return;
      this.fail(this.name, `request: ${request.method()} ${request.url()} ${why}`);
    });
    this.page.on('response', (response) => {
      if (response.status() < 400 || this.isExpected(response.url())) return;
      this.fail(
        this.name,
        `${response.status()}: ${response.request().method()} ${response.url()}`,
      );
    });
    this.page.on('request', (request) => {
      if (/^(data|blob):/.test(request.url()) || request.url().startsWith(`${this.base}/`)) return;
      this.fail(this.name, `request to a foreign address: ${request.url()}`);
    });
  }

  isExpected(url) {
    return this.expected.some((part) => url.includes(part));
  }

  /** Runs `act` while refusals from addresses with these parts are no failures. */
  async expecting(parts, act) {
    this.expected = parts;
    try {
      return await act();
    } finally {
      await this.page.waitForTimeout(100);
      this.expected = [];
    }
  }

  fail(at, what) {
    this.failures.push({ at, what: what.slice(0, 2000) });
  }

  check(ok, what) {
    if (!ok) this.fail(this.name, what);
  }

  /** Language and theme of the pages from here on, as a user's own choice would be kept. */
  async style({ language, theme }) {
    this.styleNow = { language, theme };
    await this.page.evaluate(
      ([lang, scheme]) => {
        sessionStorage.setItem('style-set', '1');
        localStorage.setItem('emt.language', lang);
        localStorage.setItem('mantine-color-scheme-value', scheme);
      },
      [language, theme],
    );
  }

  async go(path) {
    await this.page.goto(this.base + path, { waitUntil: 'load' });
    await this.settle();
  }

  /** The page has its heading, and nothing on it is still being loaded. */
  async settle() {
    await this.page.locator('h1').first().waitFor();
    const loading = this.page.locator(
      '[role=status][aria-label="Wird geladen"], [role=status][aria-label="Loading"]',
    );
    // Each part of a page loads by itself.
    while ((await loading.count()) > 0) await loading.first().waitFor({ state: 'detached' });
    await this.page.waitForTimeout(150);
  }

  /** Goes to a page, opens what `open` opens on it, looks at it with axe and keeps a picture. */
  async visit(name, path, open) {
    this.name = `${this.styleNow.language}-${this.styleNow.theme}/${name}`;
    try {
      await this.go(path);
      await open?.(this.page);
      await this.look();
    } catch (error) {
      this.fail(this.name, error.message);
    }
    await this.shoot(name);
  }

  async look() {
    this.looked += 1;
    // There are no frames: one run on the page itself, without a blank page that collects.
    const { violations } = await new AxeBuilder({ page: this.page })
      .setLegacyMode()
      .options({ resultTypes: ['violations'] })
      .analyze();
    for (const { id, nodes, help } of violations) {
      this.fail(
        this.name,
        `axe ${id} (${help}): ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
      );
    }
    const wide = await this.page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    this.check(wide <= 0, `wider than the window by ${wide} px`);
    const missing = await this.page.evaluate(() => {
      const text = document.body.innerText;
      return /\b[a-z][A-Za-z]+(\.[a-z][A-Za-z]+){1,3}\b/g.test(text)
        ? text.match(/\b[a-z][A-Za-z]+(?:\.[a-z][A-Za-z_]+){1,3}\b/g)
        : [];
    });
    const keys = missing.filter((word) =>
      /^(nav|problem|gateways|users|apiKeys|audit|wizard|tenants|common|commands|enrolment|settings|nodes|account|login)\./.test(
        word,
      ),
    );
    this.check(keys.length === 0, `text without a translation: ${keys.join(', ')}`);
  }

  async shoot(name) {
    const folder = `${this.out}/${this.styleNow.language}-${this.styleNow.theme}`;
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: `${folder}/${name}.png` }).catch(() => undefined);
  }

  /** JSON of the API with the session of the page. */
  async get(path) {
    const answer = await this.context.request.get(this.base + path);
    if (!answer.ok()) throw new Error(`${path}: ${answer.status()}`);
    return answer.json();
  }

  post(path, data, headers = {}) {
    return this.send('POST', path, data, headers);
  }

  patch(path, data) {
    return this.send('PATCH', path, data, {});
  }

  async send(method, path, data, headers) {
    const { csrf_token } = await this.get('/api/v1/session');
    const answer = await this.context.request.fetch(this.base + path, {
      method,
      data,
      headers: { 'X-CSRF-Token': csrf_token, ...headers },
    });
    if (!answer.ok()) throw new Error(`${path}: ${answer.status()} ${await answer.text()}`);
    return answer.json();
  }

  /** Before the server goes: an open page would notice, and rightly complain. */
  async leave() {
    await this.shoot('at-the-end');
    await this.page.goto('about:blank');
  }

  async stop() {
    await this.context?.close();
    await this.chromium.close();
  }
}
