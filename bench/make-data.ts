import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { SeededRandom } from '../demo/seeded-random.ts';
import { sentences } from '../demo/words.ts';

const chunkSizeBytes = 1_048_576;
/** Sizes of the files, as parts of the half that they belong to: one large one, some middling, some small. */
const parts = [0.5, 0.2, 0.1, 0.08, 0.06, 0.04, 0.015, 0.005] as const;

/** About 1 MiB of lines as a database dump has them. */
function makeText(random: SeededRandom): Buffer {
  let text = '';
  while (text.length < chunkSizeBytes) {
    const id = random.integer(90_000_000);
    const at = `2025-${String(random.between(1, 12)).padStart(2, '0')}-${String(random.between(1, 28)).padStart(2, '0')}`;
    const token = random.bytes(10).toString('hex');
    text += `INSERT INTO events VALUES (${id}, '${at}', ${random.integer(99_999)}, '${random.pick(sentences)}', '${token}');\n`;
  }
  return Buffer.from(text, 'utf8').subarray(0, chunkSizeBytes);
}

function writeData(path: string, sizeBytes: number, nextChunk: () => Buffer): void {
  const file = openSync(path, 'w');
  try {
    for (let written = 0; written < sizeBytes; ) {
      const chunk = nextChunk();
      written += writeSync(file, chunk, 0, Math.min(chunk.length, sizeBytes - written));
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Makes a tree of 16 files of `sizeBytes` together, half of it noise and half text like a dump, and returns its path. Made once: a
 * mark that is written last says that it is complete.
 */
export function makeData(cacheFolder: string, sizeBytes: number): string {
  const root = join(cacheFolder, `data-${sizeBytes}`);
  const mark = join(cacheFolder, `data-${sizeBytes}.complete`);
  const version = '1';
  if (existsSync(mark) && readFileSync(mark, 'utf8') === version) return root;
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, 'media'), { recursive: true });
  mkdirSync(join(root, 'dumps'), { recursive: true });
  const random = new SeededRandom('bench');
  const texts = Array.from({ length: 32 }, () => makeText(random));
  parts.forEach((part, index) => {
    const fileSizeBytes = Math.floor((sizeBytes / 2) * part);
    writeData(join(root, 'media', `${index}.bin`), fileSizeBytes, () => random.bytes(chunkSizeBytes));
    // Fresh text each time would take minutes for gigabytes. What repeats is cut at a random place, so that chunks differ, but a
    // peer that finds repeated content would gain from it: each chunk therefore gets noise of its own woven in.
    writeData(join(root, 'dumps', `${index}.sql`), fileSizeBytes, () => weave(random.pick(texts), random));
  });
  writeFileSync(mark, version);
  return root;
}

/** Takes away what {@link makeData} made. */
export function removeData(cacheFolder: string, sizeBytes: number): void {
  const root = join(cacheFolder, `data-${sizeBytes}`);
  rmSync(`${root}.complete`, { force: true });
  rmSync(root, { recursive: true, force: true });
}

/** A copy of the text in which the token of every line is another one, so that no two chunks have a run of 200 bytes in common. */
function weave(text: Buffer, random: SeededRandom): Buffer {
  const copy = Buffer.from(text);
  const noise = random.bytes(16_384);
  let used = 0;
  for (let end = copy.indexOf("');\n"); end >= 0; end = copy.indexOf("');\n", end + 4)) {
    if (used + 10 > noise.length) used = 0;
    copy.write(noise.toString('hex', used, used + 10), Math.max(0, end - 20), 'latin1');
    used += 7;
  }
  return copy;
}
