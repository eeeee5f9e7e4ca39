// Fails when the JavaScript a browser needs before the first page exceeds the budget: the scripts
// and module preloads that index.html names, gzipped. Pages are loaded on demand and count apart.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const BUDGET_KIB = 230;
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const gzipKib = (name) => gzipSync(readFileSync(dist + name), { level: 9 }).length / 1024;

const html = readFileSync(`${dist}index.html`, 'utf8');
const entry = [...html.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)].map((match) => match[1]);
const total = entry.reduce((sum, name) => sum + gzipKib(name), 0);

for (const name of readdirSync(`${dist}assets`).filter((file) => /\.(js|css)$/.test(file))) {
  const mark = entry.includes(`assets/${name}`) ? 'entry' : '';
  console.log(`${gzipKib(`assets/${name}`).toFixed(1).padStart(7)} KiB  ${name} ${mark}`);
}
console.log(`entry ${total.toFixed(1)} KiB gzip of ${BUDGET_KIB}`);
if (entry.length === 0 || total > BUDGET_KIB) {
  console.error('size: the entry bundle is above its budget');
  process.exit(1);
}
