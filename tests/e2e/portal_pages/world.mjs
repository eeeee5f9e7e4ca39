import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fillCertificates } from './certificate_pages.mjs';
import { fillDelivery } from './delivery_pages.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const READY_WITHIN_MS = 90_000;

function pause(ms) {
  return new Promise((done) => setTimeout(done, ms));
}

function canListen(port) {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

/** A port P with P-1000, P-999 and P+1000 free as well: emtd takes all four. */
async function freePort() {
  for (let tries = 0; tries < 200; tries += 1) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    const all = await Promise.all([0, -1000, -999, 1000].map((step) => canListen(port + step)));
    if (all.every(Boolean)) return port;
  }
  throw new Error('no free ports');
}

/** A server of our own with an empty database, and the simulated gateway that dials in. */
export class World {
  children = [];
  password = 'blaue Pferde im Nebel 7';

  static async start({ build, out }) {
    const self = new World();
    self.build = resolve(build);
    self.dir = mkdtempSync(join(tmpdir(), 'emt-portal-'));
    self.out = out;
    const port = await freePort();
    self.url = `https://localhost:${port}`;
    const portal = process.env.EMT_PORTAL_DIST ?? join(root, 'admin-ui/dist');
    self.data = join(self.dir, 'data');
    spawnSync('mkdir', ['-p', self.data, join(self.dir, 'outbox')]);
    writeFileSync(
      join(self.data, 'emtd.yaml'),
      `portal: ${portal}\ndelivery:\n  root: ${join(self.dir, 'outbox')}\n`,
    );
    const args = ['--embedded', self.data, '--port', String(port)];
    if (process.env.EMT_MIGRATIONS) args.push('--migrations', process.env.EMT_MIGRATIONS);
    self.server = self.run('emtd', args);
    await self.ready();
    await self.second();
    const login = readFileSync(join(self.data, 'first-login'), 'utf8');
    self.first = {
      name: /^user:\s*(\S+)/m.exec(login)[1],
      password: /^password:\s*(\S+)/m.exec(login)[1],
    };
    return self;
  }

  /** A second node on the same database, made as docs/operations.md says: it takes its share of the jobs. */
  async second() {
    const port = await freePort();
    const path = join(this.dir, 'node2.yaml');
    const asked = spawnSync(
      join(this.build, 'emtd'),
      ['--embedded', this.data, '--print-config', '--port', String(port)],
      { encoding: 'utf8' },
    );
    if (asked.status !== 0) throw new Error(`no configuration for a second node: ${asked.stderr}`);
    writeFileSync(path, asked.stdout);
    const more = process.env.EMT_MIGRATIONS ? ['--migrations', process.env.EMT_MIGRATIONS] : [];
    this.run('emtd', ['--config', path, ...more]);
  }

  run(program, args) {
    const log = openSync(join(this.dir, `${program}-${this.children.length}.log`), 'w');
    const child = spawn(join(this.build, program), args, {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.children.push(child);
    return child;
  }

  async ready() {
    const end = Date.now() + READY_WITHIN_MS;
    const log = join(this.dir, 'emtd-0.log');
    while (!readFileSync(log, 'utf8').includes('"event":"ready"')) {
      if (this.server.exitCode !== null || Date.now() > end) {
        throw new Error(`emtd does not start:\n${readFileSync(log, 'utf8').slice(-2000)}`);
      }
      await pause(200);
    }
  }

  /** The very command that the page shows, with this build's program and a folder of ours. */
  enrol(command, gateway) {
    const words = command.trim().split(/\s+/);
    const at = words.findIndex((word) => word.endsWith('emt-agent'));
    if (at < 0) throw new Error(`no emt-agent in the command: ${command}`);
    const args = words.slice(at + 1);
    const folder = join(this.dir, gateway);
    const dir = args.indexOf('--dir');
    if (dir >= 0) args[dir + 1] = folder;
    else args.push('--dir', folder);
    const done = spawnSync(join(this.build, 'emt-agent'), args, {
      encoding: 'utf8',
    });
    if (done.status !== 0) throw new Error(`enrol: ${done.stderr || done.stdout}`);
    return folder;
  }

  async enrolAndRun(command, gateway) {
    const folder = this.enrol(command, gateway);
    this.agent = this.run('emt-agent', [
      'run',
      '--dir',
      folder,
      '--simulate',
      '6',
      '--backfill',
      '2',
      '--interval',
      '20',
    ]);
  }

  /** Values for the pages to show: the simulated meters' keys, and time to decode. */
  async fill(browser) {
    const meters = spawnSync(join(this.build, 'emt-agent'), ['meters', '--simulate', '6'], {
      encoding: 'utf8',
    });
    const base = `/api/v1/tenants/${this.tenant}`;
    await browser.post(`${base}/meter-keys`, meters.stdout, {
      'Content-Type': 'text/csv',
    });
    await browser.post(`${base}/gateways`, {
      id: 'gw-2',
      name: 'Ersatzgerät',
      place: 'Lager',
    });
    await fillCertificates(browser, this);
    const end = Date.now() + 60_000;
    for (;;) {
      const { items } = await browser.get(`${base}/frames?state=ok&limit=1`);
      if (items.length > 0) return fillDelivery(browser, this);
      if (Date.now() > end) throw new Error('no frame was decoded');
      await pause(1000);
    }
  }

  async stop() {
    for (const child of [...this.children].reverse()) {
      if (child.exitCode !== null) continue;
      child.kill('SIGTERM');
      const end = Date.now() + 20_000;
      while (child.exitCode === null && child.signalCode === null && Date.now() < end)
        await pause(100);
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
