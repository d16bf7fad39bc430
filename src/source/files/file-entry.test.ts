/** Files read into memory that is lent, past the page cache and through it: the same bytes and the same reports. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { alignedMemory } from '../../archive/worker/aligned-memory.ts';
import { systemClock } from '../../clock.ts';
import { PositionalFile } from '../../disk/positional-file.ts';
import {
  answerReads,
  hasDirectIo,
  pieceBytes,
  type ReadOptions,
  readEntry,
  systemError,
} from '../../testing/observed-reads.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import type { EntryMetadata, SourceProblem } from '../source.ts';
import { FileEntry } from './file-entry.ts';
import { FilesSource } from './files-source.ts';
import { ReadPath } from './read-path.ts';

const mebibyte = 1024 * 1024;

let folder: string;
let path: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-entry-')));
  path = join(folder, 'file');
});
afterEach(() => {
  delete process.env['HOLDFAST_DIRECT_IO'];
  rmSync(folder, { recursive: true, force: true });
});

interface ReadFile {
  readonly bytes: Buffer;
  readonly counts: readonly number[];
  readonly metadata: EntryMetadata;
  readonly problems: readonly SourceProblem[];
}

/** What a source has learned that reads cold files. */
function directPath(): ReadPath {
  const readPath = new ReadPath();
  while (!readPath.isDirect) readPath.note(pieceBytes, 1000);
  return readPath;
}

/** Reads the file as the archive writer does, and directly where that can be done. */
async function read(options: ReadOptions = {}): Promise<ReadFile> {
  const problems: SourceProblem[] = [];
  const context = { temporaryFolder: folder, report: (problem: SourceProblem) => void problems.push(problem) };
  const file = new PositionalFile(await open(path));
  try {
    await file.openDirect(constants.O_RDONLY);
    const stats = await file.handle.stat({ bigint: true });
    const choice = { readPath: directPath(), clock: systemClock, onClose: () => undefined };
    const entry = new FileEntry({ path: 'files/file', file, stats, context, ...choice });
    const { bytes, counts } = await readEntry(entry, options);
    return { bytes, counts, metadata: entry.metadata, problems };
  } finally {
    await file.close();
  }
}

async function readBothWays(options: ReadOptions & { before?: () => void } = {}): Promise<readonly ReadFile[]> {
  const results: ReadFile[] = [];
  for (const setting of ['1', '0']) {
    process.env['HOLDFAST_DIRECT_IO'] = setting;
    options.before?.();
    results.push(await read(options));
  }
  return results;
}

/** How many handles are open on the file. */
function handleCount(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      // The number of the folder that was listed is free again.
      return false;
    }
  }).length;
}

describe('a file read into memory', () => {
  const around = [
    0,
    4096,
    pieceBytes,
    pieceBytes + 4096,
    pieceBytes + 256 * 1024,
    2 * pieceBytes,
    2 * pieceBytes + 8192,
  ];
  const sizes = around.flatMap((size) => [size - 1, size, size + 1]).filter((size) => size >= 0);
  it(`gives its bytes both ways, of ${sizes.join(', ')} bytes`, async () => {
    for (const sizeBytes of sizes) {
      const expected = Buffer.from(new SeededRandom(sizeBytes).bytes(sizeBytes));
      writeFileSync(path, expected);
      for (const { bytes, problems, metadata } of await readBothWays()) {
        assert.ok(bytes.equals(expected), `${sizeBytes} bytes`);
        assert.deepEqual(problems, []);
        assert.equal('changed' in metadata, false);
      }
    }
  });

  it('gives its bytes to any memory, aligned or not, shared or not', async () => {
    const expected = Buffer.from(new SeededRandom(5).bytes(5 * mebibyte + 123));
    writeFileSync(path, expected);
    const shared = alignedMemory(pieceBytes);
    const plain = new Uint8Array(pieceBytes);
    const view = fc.record({
      memory: fc.constantFrom(shared, shared, plain),
      start: fc.oneof(
        fc.nat(64).map((page) => page * 4096),
        fc.nat(mebibyte),
      ),
      length: fc.constantFrom(1000, 4096, 300_000, 256 * 1024, mebibyte, mebibyte + 1),
    });
    const property = fc.asyncProperty(fc.array(view, { minLength: 1, maxLength: 6 }), async (views) => {
      let index = 0;
      const nextInto = () => {
        const { memory, start, length } = views[index % views.length] ?? { memory: plain, start: 0, length: mebibyte };
        index += 1;
        // A file is not read in a thousand pieces.
        return index > 20 ? shared : memory.subarray(start, start + length);
      };
      const { bytes, problems } = await read({ nextInto });
      assert.ok(bytes.equals(expected));
      assert.deepEqual(problems, []);
    });
    await fc.assert(property, { seed: 7, numRuns: 40 });
  });

  it('is read with the bytes that lie in the page cache alone', async () => {
    const expected = Buffer.from(new SeededRandom(6).bytes(2 * pieceBytes + 77));
    const descriptor = openSync(path, 'w+');
    writeSync(descriptor, expected);
    for (const offset of [0, 4095, pieceBytes - 3, 2 * pieceBytes]) {
      const change = Buffer.from(`new at ${offset}`);
      writeSync(descriptor, change, 0, change.length, offset);
      change.copy(expected, offset);
      for (const { bytes } of await readBothWays()) assert.ok(bytes.equals(expected), `changed at ${offset}`);
    }
    closeSync(descriptor);
  });
});

describe('a file that changes while it is read into memory', () => {
  const original = Buffer.from(new SeededRandom(8).bytes(3 * pieceBytes + 500));
  const other = Buffer.from(new SeededRandom(9).bytes(original.length));
  const first = original.subarray(0, pieceBytes);
  const changes: Record<string, { change: () => void; expected: Buffer }> = {
    'is cut before what was read': { change: () => truncateSync(path, 10), expected: first },
    'is cut in the middle of a page': {
      change: () => truncateSync(path, pieceBytes + mebibyte + 10),
      expected: original.subarray(0, pieceBytes + mebibyte + 10),
    },
    'is cut at a page': {
      change: () => truncateSync(path, 2 * pieceBytes + 4096),
      expected: original.subarray(0, 2 * pieceBytes + 4096),
    },
    'is appended to': { change: () => appendFileSync(path, other), expected: original },
    'is rewritten in place': {
      change: () => writeFileSync(path, other),
      expected: Buffer.concat([first, other.subarray(pieceBytes)]),
    },
  };
  for (const [how, { change, expected }] of Object.entries(changes)) {
    it(`${how}: both ways give the same bytes and report it once`, async () => {
      const before = () => {
        writeFileSync(path, original);
        utimesSync(path, 1, 1);
      };
      const onPiece = (doneBytes: number) => (doneBytes === pieceBytes ? change() : undefined);
      for (const { bytes, metadata, problems } of await readBothWays({ before, onPiece })) {
        assert.ok(bytes.equals(expected));
        assert.equal(metadata['changed'], true);
        assert.deepEqual(
          problems.map(({ code, path: at }) => [code, at]),
          [['source.changed', 'files/file']],
        );
      }
    });
  }
});

describe('direct reads of a file', () => {
  it('need a second handle, which files of 2 MiB and more have until the entry is done with', async (t) => {
    if (!(await hasDirectIo(t, folder))) return;
    const context = { temporaryFolder: folder, report: () => {} };
    const countOpen = async (isDrained: boolean) => {
      let count = 0;
      for await (const entry of new FilesSource({ path }).entries(context)) {
        count = handleCount();
        if (!isDrained) break;
        await readEntry(entry);
      }
      assert.equal(handleCount(), 0);
      return count;
    };
    for (const isDrained of [true, false]) {
      writeFileSync(path, Buffer.alloc(pieceBytes - 1));
      assert.equal(await countOpen(isDrained), 1);
      writeFileSync(path, Buffer.alloc(pieceBytes));
      assert.equal(await countOpen(isDrained), 2);
      process.env['HOLDFAST_DIRECT_IO'] = '0';
      assert.equal(await countOpen(isDrained), 1);
      delete process.env['HOLDFAST_DIRECT_IO'];
    }
  });

  it('are made of all but the end', async (t) => {
    if (!(await hasDirectIo(t, folder))) return;
    const ways: boolean[] = [];
    await answerReads(t, (isDirect) => void ways.push(isDirect));
    const ends = [
      { endBytes: 8192 + 5, counts: [8192 + 5], ways: [false] },
      { endBytes: mebibyte + 5, counts: [mebibyte, 5], ways: [true, false] },
      { endBytes: mebibyte, counts: [mebibyte], ways: [true] },
    ];
    for (const { endBytes, ...expected } of ends) {
      writeFileSync(path, Buffer.alloc(pieceBytes + endBytes));
      const { counts } = await read();
      assert.deepEqual(counts, [pieceBytes, ...expected.counts]);
      assert.deepEqual(ways.splice(0), [true, ...expected.ways]);
    }
  });

  it('are not made into memory that is not aligned, and again into such that is', async (t) => {
    if (!(await hasDirectIo(t, folder))) return;
    writeFileSync(path, Buffer.alloc(2 * pieceBytes));
    const memory = alignedMemory(pieceBytes);
    const views = [memory.subarray(1, 1 + mebibyte), memory];
    const ways: boolean[] = [];
    await answerReads(t, (isDirect) => void ways.push(isDirect));
    await read({ nextInto: () => views.shift() ?? memory });
    assert.deepEqual(ways, [false, true, true]);
  });

  it('that are refused are made through the page cache', async (t) => {
    if (!(await hasDirectIo(t, folder))) return;
    const expected = Buffer.from(new SeededRandom(10).bytes(2 * pieceBytes));
    writeFileSync(path, expected);
    const ways: boolean[] = [];
    await answerReads(t, (isDirect) => {
      ways.push(isDirect);
      return isDirect ? systemError('EINVAL') : undefined;
    });
    const { bytes, problems } = await read();
    assert.ok(bytes.equals(expected));
    assert.deepEqual(problems, []);
    assert.deepEqual(ways, [true, false, false]);
  });

  it('that fail leave what stands before the bad place, as the page cache does', async (t) => {
    const expected = Buffer.from(new SeededRandom(11).bytes(2 * pieceBytes));
    writeFileSync(path, expected);
    const badOffset = pieceBytes + 12_288;
    // Directly a piece fails as a whole; the cache gives the pages before the bad one.
    await answerReads(t, (isDirect, offset) => {
      if (isDirect && offset + pieceBytes > badOffset) return systemError('EIO');
      return offset >= badOffset ? systemError('EIO') : badOffset - offset;
    });
    for (const { bytes, metadata, problems } of await readBothWays()) {
      assert.ok(bytes.equals(expected.subarray(0, badOffset)));
      assert.equal(metadata['changed'], true);
      const message = `read only in part: EIO: it fails at byte ${badOffset}`;
      assert.deepEqual(problems, [{ code: 'source.changed', path: 'files/file', message }]);
    }
  });
});

it('a program that reads the file meanwhile sees the same bytes', async () => {
  const expected = Buffer.from(new SeededRandom(12).bytes(2 * pieceBytes));
  writeFileSync(path, expected);
  const { bytes } = await read({ onPiece: () => assert.ok(readFileSync(path).equals(expected)) });
  assert.ok(bytes.equals(expected));
});
