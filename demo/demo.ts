/** `npm run demo`: backs up a web shop, destroys a tenth of the archive, and proves that nothing is lost. */
import { createHash } from 'node:crypto';
import { copyFileSync, createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  createBackup,
  FilesSource,
  HoldfastError,
  repairArchive,
  restoreBackup,
  Secret,
  SqliteSource,
  validateBackup,
} from '../src/index.ts';
import { drawMap, mapCells } from './damage-map.ts';
import { blockStates, type Destruction, destroy } from './destroy.ts';
import { differences, type Fingerprint, fingerprintDatabase, fingerprintTree } from './fingerprint.ts';
import { formatBytes, formatCount, formatRate, Screen } from './screen.ts';
import { makeShop, type Shop } from './shop.ts';

const usage = `usage: npm run demo -- [--keep] [--seed text]
  --keep   leave the shop, the archive and what was restored in their folder
  --seed   another shop, and other damage ("holdfast" unless set)`;

const passphrase = new Secret('correct horse battery staple');
const destroyedFraction = 0.1;
const flippedBytes = 3_000;
/** Lines of the map for each copy, at most. */
const mapLines = 8;

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path)) hash.update(part as Uint8Array);
  return hash.digest('hex');
}

async function backUp(screen: Screen, shop: Shop, archive: string): Promise<void> {
  screen.step('Back it up, while the shop has its database open');
  const report = await createBackup({
    sources: [new SqliteSource({ path: shop.databasePath }), new FilesSource({ path: shop.uploadsPath })],
    output: archive,
    keys: { passphrases: [passphrase] },
    onProgress: (progress) => screen.progress(progress),
  });
  const seconds = (report.durationMs / 1_000).toFixed(1);
  screen.line(`archive   ${report.output}`);
  screen.line(
    `contents  ${formatCount(report.entryCount)} entries, ${formatCount(report.rowCount)} rows, ${formatBytes(report.plainSizeBytes)}`,
  );
  screen.line(`size      ${formatBytes(report.sizeBytes)}: compressed, encrypted, with parity, twice`);
  screen.line(
    `time      ${seconds} s, ${formatRate(report.plainSizeBytes, report.durationMs)}; verified: ${report.verified}`,
  );
}

function showDamage(screen: Screen, damage: Destruction): void {
  const { region, flippedOffsets, sizeBytes } = damage;
  const regionSizeBytes = region.lastByte - region.firstByte;
  screen.line(`overwritten with noise: bytes ${formatCount(region.firstByte)} to ${formatCount(region.lastByte - 1)}`);
  screen.line(
    `                        (${formatBytes(regionSizeBytes)}, ${((regionSizeBytes * 100) / sizeBytes).toFixed(1)} % of the file)`,
  );
  screen.line(`changed in the rest:    ${formatCount(flippedOffsets.length)} single bytes`);
  const states = blockStates(damage);
  const widthCells = screen.widthCells - 12;
  const half = Math.floor(states.length / 2);
  const blocksPerDot = Math.ceil(half / (widthCells * 8 * mapLines));
  for (const [index, copy] of [states.subarray(0, half), states.subarray(half)].entries()) {
    screen.line('');
    const lines = drawMap(mapCells(copy, blocksPerDot), { widthCells, colour: screen.colour });
    for (const [row, line] of lines.entries()) screen.line(`${row === 0 ? `copy ${index + 1}` : '      '}  ${line}`);
  }
  screen.line('');
  const meaning = blocksPerDot === 1 ? 'a damaged block' : `${blocksPerDot} blocks, one of them damaged at least`;
  screen.line(`        a dot: ${meaning}; a block has 4,096 bytes`);
}

async function verify(screen: Screen, archive: string): Promise<boolean> {
  screen.step('Verify the archive');
  const report = await validateBackup({
    archive,
    keys: { passphrases: [passphrase] },
    onProgress: (progress) => screen.progress(progress),
  });
  const { blocks } = report;
  const total = formatCount(blocks.perCopy * blocks.copies);
  screen.line(
    `state   ${report.state === 'repairable' ? 'damaged, and every byte of it can be repaired' : report.state}`,
  );
  screen.line(
    `blocks  ${formatCount(blocks.damaged)} of ${total} damaged; ${formatCount(blocks.solved)} damaged in both copies and solved`,
  );
  screen.line(`        from parity; ${formatCount(blocks.lost)} lost`);
  screen.line(
    `time    ${(report.durationMs / 1_000).toFixed(1)} s, ${formatCount(report.entryCount)} entries opened and found right`,
  );
  return report.state === 'repairable';
}

async function tryWrongPassphrase(screen: Screen, archive: string): Promise<boolean> {
  screen.step('Try a wrong passphrase');
  try {
    await validateBackup({
      archive,
      level: 'contents',
      keys: { passphrases: [new Secret('correct horse battery stable')] },
    });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'key.wrong') throw error;
    screen.good(`refused: ${error.message} [${error.code}]`);
    return true;
  }
  screen.bad('a wrong passphrase opened the archive');
  return false;
}

async function restore(screen: Screen, archive: string, folder: string): Promise<void> {
  screen.step('Restore from the damaged archive, to another place');
  const report = await restoreBackup({
    archive,
    keys: { passphrases: [passphrase] },
    to: [`sqlite:${join(folder, 'shop.db')}`],
    filesTo: folder,
    onProgress: (progress) => screen.progress(progress),
  });
  screen.line(
    `${formatCount(report.entryCount)} entries, ${formatCount(report.rowCount)} rows, ${formatBytes(report.sizeBytes)}`,
  );
  screen.line(`${formatCount(report.healedBlocks)} damaged blocks healed on the way`);
  screen.line(`${(report.durationMs / 1_000).toFixed(1)} s, ${formatRate(report.sizeBytes, report.durationMs)}`);
}

async function heal(screen: Screen, archive: string, healed: string, originalHash: string): Promise<boolean> {
  screen.step('Heal the archive itself');
  const report = await repairArchive({ archive, output: healed, onProgress: (progress) => screen.progress(progress) });
  screen.line(`${report.state} in ${(report.durationMs / 1_000).toFixed(1)} s, without the passphrase`);
  const same = (await hashFile(healed)) === originalHash;
  if (same) screen.good('the healed archive is, byte for byte, the one that was written');
  else screen.bad('the healed archive differs from the one that was written');
  return same;
}

interface Proof {
  readonly database: Fingerprint;
  readonly uploads: Fingerprint;
  readonly rowCount: number;
}

async function fingerprintShop(databasePath: string, uploadsPath: string): Promise<Proof> {
  const { fingerprint, rowCount } = fingerprintDatabase(databasePath);
  return { database: fingerprint, uploads: await fingerprintTree(uploadsPath), rowCount };
}

function prove(screen: Screen, before: Proof, after: Proof): boolean {
  screen.step('Compare everything with the running shop');
  for (const [name, digest] of before.database) {
    const same = after.database.get(name) === digest;
    const text = `${name.replace('table ', '').padEnd(14)} ${digest.slice(0, 16)}… ${digest.slice(65)}`;
    if (same) screen.good(text);
    else screen.bad(text);
  }
  const wrong = [...differences(before.database, after.database), ...differences(before.uploads, after.uploads)];
  if (differences(before.uploads, after.uploads).length === 0) {
    screen.good(`${formatCount(before.uploads.size)} files, folders and links: names, contents, modes and times`);
  }
  for (const name of wrong.slice(0, 10)) screen.bad(`differs: ${name}`);
  return wrong.length === 0;
}

async function run(screen: Screen, folder: string, seed: string): Promise<boolean> {
  const startedMs = performance.now();
  const archive = join(folder, 'shop.holdfast');
  const restored = join(folder, 'restored');
  screen.line(screen.paint('1', 'Holdfast: a backup that heals itself'));
  screen.step('Make a web shop');
  const shop = makeShop({ folder: join(folder, 'shop'), seed });
  try {
    screen.line(`${shop.databasePath}: ${formatCount(shop.rowCount)} rows`);
    screen.line(`${shop.uploadsPath}: ${formatCount(shop.fileCount)} files`);
    const before = await fingerprintShop(shop.databasePath, shop.uploadsPath);

    await backUp(screen, shop, archive);
    const originalHash = await hashFile(archive);

    screen.step('Destroy a tenth of the archive, and damage the rest');
    const damaged = join(folder, 'damaged.holdfast');
    copyFileSync(archive, damaged);
    rmSync(archive);
    showDamage(screen, destroy(damaged, { seed: `${seed} damage`, fraction: destroyedFraction, flips: flippedBytes }));

    const repairable = await verify(screen, damaged);
    const refused = await tryWrongPassphrase(screen, damaged);
    await restore(screen, damaged, restored);
    const after = await fingerprintShop(join(restored, 'shop.db'), join(restored, 'uploads'));
    const equal = prove(screen, before, after);
    const healed = await heal(screen, damaged, join(folder, 'healed.holdfast'), originalHash);

    const right = repairable && refused && equal && healed;
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
    const rows = formatCount(after.rowCount);
    screen.line('');
    if (right) screen.good(`nothing was lost: all ${rows} rows and ${shop.fileCount} files are equal (${seconds} s)`);
    else screen.bad(`something differs, see above (${seconds} s)`);
    return right;
  } finally {
    shop.close();
  }
}

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    seed: { type: 'string', default: 'holdfast' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  process.stdout.write(`${usage}\n`);
} else {
  const screen = new Screen();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      if (!values.keep) removeFolder();
      process.exit(130);
    });
  }
  try {
    process.exitCode = (await run(screen, folder, values.seed)) ? 0 : 1;
  } finally {
    if (values.keep) screen.line(`kept: ${folder}`);
    else removeFolder();
  }
}
