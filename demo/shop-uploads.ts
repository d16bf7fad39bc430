import { chmodSync, lutimesSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { makeInvoice } from './invoice.ts';
import { makePicture } from './picture.ts';
import type { SeededRandom } from './seeded-random.ts';
import { materials, sentences, things } from './words.ts';

const firstSecond = Date.UTC(2022, 0, 1) / 1_000;

/** A time with a fraction, so that a restore which keeps whole seconds only is noticed. */
function someTime(random: SeededRandom): number {
  return firstSecond + random.integer(1_400 * 86_400) + random.integer(1_000) / 1_000;
}

function invoiceLines(number: string, totalCents: number, random: SeededRandom): string[] {
  const lines = [`Invoice ${number}`, ''];
  const count = random.between(4, 40);
  for (let line = 1; line <= count; line += 1) {
    const name = `${random.pick(materials)} ${random.pick(things)}`;
    lines.push(`${String(line).padStart(3)}  ${name.padEnd(28)} (item ${random.bytes(6).toString('hex')})`);
  }
  return [...lines, '', `Total: EUR ${(totalCents / 100).toFixed(2)}`];
}

/** Files with names that have tripped backup tools: composed and decomposed letters, other scripts, spaces, a dash in front. */
const noteNames = [
  'Łódź – reçu №7.txt',
  '請求書.txt',
  'Kvitto (åäö).txt',
  'emoji 🧾.txt',
  'nai\u0308ve.txt',
  'na\u00efve.txt',
  '-rf.txt',
  ' leading space.txt',
  'deep/er/and/deeper/ünder.txt',
  'اردو.txt',
  'ελληνικά.txt',
  'quote"s and \'s.txt',
  '%20.txt',
  'new\nline.txt',
  'UPPER.txt',
  'README',
  'zero bytes.txt',
  '.hidden',
  'a.b.c.txt',
  'trailing dot.',
] as const;

/** Makes `uploads/`: 180 invoices, 100 pictures and 20 notes, a symbolic link and an empty folder. Returns the number of files. */
export function makeShopUploads(root: string, random: SeededRandom, database: DatabaseSync, scale = 1): number {
  const folders = new Set<string>([root]);
  let fileCount = 0;
  function add(path: string, bytes: string | Uint8Array): void {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    for (let folder = dirname(target); folder.length > root.length; folder = dirname(folder)) folders.add(folder);
    writeFileSync(target, bytes);
    chmodSync(target, random.pick([0o644, 0o644, 0o600, 0o640, 0o755]));
    const time = someTime(random);
    utimesSync(target, time, time);
    fileCount += 1;
  }
  mkdirSync(root, { recursive: true });
  const invoices = database
    .prepare('SELECT number, total_cents, attachment_path FROM invoices WHERE attachment_path IS NOT NULL')
    .all();
  for (const row of invoices) {
    const number = String(row['number']);
    add(String(row['attachment_path']), makeInvoice(invoiceLines(number, Number(row['total_cents']), random)));
  }
  const products = database.prepare('SELECT picture_path FROM products WHERE picture_path IS NOT NULL').all();
  products.forEach((row, index) => {
    const side = Math.ceil(random.between(180, 560) * Math.sqrt(scale));
    add(String(row['picture_path']), makePicture(random, side, index % 4 === 0 ? 8 : 255));
  });
  for (const name of noteNames) {
    const text = Array.from({ length: random.between(3, 200) }, () => random.pick(sentences)).join('\n');
    add(`notes/${name}`, name.startsWith('zero') ? '' : text);
  }
  const link = join(root, 'latest.pdf');
  symlinkSync(relative(root, join(root, String(invoices.at(-1)?.['attachment_path']))), link);
  lutimesSync(link, firstSecond, firstSecond);
  folders.add(join(root, 'incoming'));
  mkdirSync(join(root, 'incoming'));
  // Deepest first: making something inside a folder would set its time anew.
  for (const folder of [...folders].sort((left, right) => right.length - left.length)) {
    const time = someTime(random);
    utimesSync(folder, time, time);
  }
  return fileCount;
}
