import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import { FakeClock } from '../../testing/fake-clock.ts';
import { answerReads, hasDirectIo, pieceBytes, readEntry, systemError } from '../../testing/observed-reads.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import type { SourceProblem } from '../source.ts';
import { FilesSource } from './files-source.ts';
import { ReadPath } from './read-path.ts';

const judgedBytes = 1_200_000;
const slowMs = 4.001;
const fastMs = 4;

function readPieces(readPath: ReadPath, count: number, durationMs: number, sizeBytes = judgedBytes): void {
  for (let index = 0; index < count; index++) readPath.note(sizeBytes, durationMs);
}

/** Begins files until one is read through the cache; gives how many were read directly. */
function directFiles(readPath: ReadPath): number {
  for (let count = 0; count < 100; count++) {
    readPath.beginFile();
    if (!readPath.isDirect) return count;
  }
  throw new assert.AssertionError({ message: 'the cache is not tried again' });
}

describe('ReadPath', () => {
  it('leaves the cache at the sixth piece in a row that comes at less than 300 MB/s', () => {
    const readPath = new ReadPath();
    readPieces(readPath, 5, slowMs);
    assert.equal(readPath.isDirect, false);
    readPieces(readPath, 1, slowMs);
    assert.equal(readPath.isDirect, true);
  });

  it('stays when one of six comes as fast as that', () => {
    const readPath = new ReadPath();
    for (let round = 0; round < 20; round++) {
      readPieces(readPath, 5, slowMs);
      readPieces(readPath, 1, fastMs);
    }
    assert.equal(readPath.isDirect, false);
    readPieces(readPath, 5, slowMs);
    assert.equal(readPath.isDirect, false);
  });

  it('does not judge by pieces of less than 1 MiB, slow or fast', () => {
    const readPath = new ReadPath();
    readPieces(readPath, 100, 1000, 1024 * 1024 - 1);
    readPieces(readPath, 5, 1000, 1024 * 1024);
    readPieces(readPath, 1, 0, 1024 * 1024 - 1);
    assert.equal(readPath.isDirect, false);
    readPieces(readPath, 1, 1000, 1024 * 1024);
    assert.equal(readPath.isDirect, true);
  });

  it('takes a piece that took no time for a fast one', () => {
    const readPath = new ReadPath();
    readPieces(readPath, 5, slowMs);
    readPieces(readPath, 1, 0);
    readPieces(readPath, 1, slowMs);
    assert.equal(readPath.isDirect, false);
  });

  it('counts on over files', () => {
    const readPath = new ReadPath();
    for (let count = 0; count < 6; count++) {
      readPath.beginFile();
      assert.equal(readPath.isDirect, false);
      readPieces(readPath, 1, slowMs);
    }
    assert.equal(readPath.isDirect, true);
  });

  it('tries the cache at every 16th file, and leaves it after two slow pieces', () => {
    const readPath = new ReadPath();
    readPieces(readPath, 6, slowMs);
    for (let round = 0; round < 3; round++) {
      assert.equal(directFiles(readPath), 15);
      readPieces(readPath, 1, slowMs);
      assert.equal(readPath.isDirect, false);
      readPieces(readPath, 1, slowMs);
      assert.equal(readPath.isDirect, true);
    }
  });

  it('trusts the cache as at the start when a fast piece comes', () => {
    const readPath = new ReadPath();
    readPieces(readPath, 6, slowMs);
    assert.equal(directFiles(readPath), 15);
    readPieces(readPath, 1, slowMs);
    readPieces(readPath, 1, fastMs);
    readPieces(readPath, 5, slowMs);
    assert.equal(readPath.isDirect, false);
    readPath.beginFile();
    readPieces(readPath, 1, slowMs);
    assert.equal(readPath.isDirect, true);
  });
});

describe('the way a source reads large files', () => {
  let folder: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-path-')));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  interface Way {
    readonly isDirect: boolean;
    readonly offset: number;
  }
  const cached = (count: number, from = 0): Way[] => waysOf(false, count, from);
  const direct = (count: number, from = 0): Way[] => waysOf(true, count, from);

  function waysOf(isDirect: boolean, count: number, from: number): Way[] {
    return Array.from({ length: count }, (_, index) => ({ isDirect, offset: (from + index) * pieceBytes }));
  }

  /** Reads all files of the folder; a piece that comes through the cache takes as long as `durationMs` says. */
  async function readAll(t: TestContext, durationMs: (index: number) => number, refuses = false): Promise<Way[]> {
    const clock = new FakeClock();
    const ways: Way[] = [];
    let index = 0;
    await answerReads(t, (isDirect, offset) => {
      ways.push({ isDirect, offset });
      if (!isDirect) clock.advance(durationMs(index++));
      return isDirect && refuses ? systemError('EINVAL') : undefined;
    });
    const problems: SourceProblem[] = [];
    const context = { temporaryFolder: folder, report: (problem: SourceProblem) => void problems.push(problem) };
    for await (const entry of new FilesSource({ path: folder, clock }).entries(context)) {
      if (entry.kind !== 'file') continue;
      const { bytes } = await readEntry(entry);
      assert.ok(bytes.equals(expectedBytes(entry.expectedSizeBytes)), entry.path);
    }
    assert.deepEqual(problems, []);
    return ways;
  }

  const pattern = Buffer.from(new SeededRandom(13).bytes(10 * pieceBytes));
  const expectedBytes = (sizeBytes: number) => pattern.subarray(0, sizeBytes);
  const make = (name: string, sizeBytes: number) => writeFileSync(join(folder, name), expectedBytes(sizeBytes));

  it('is the page cache as long as pieces come fast', async (t) => {
    make('a', 9 * pieceBytes);
    assert.deepEqual(await readAll(t, () => 1), cached(9));
  });

  it('leads past the cache in the middle of a file, whose end goes through it, and so for the next file', async (t) => {
    if (!(await hasDirectIo(t, folder))) return;
    make('a', 9 * pieceBytes + 5);
    make('b', 2 * pieceBytes);
    make('c', pieceBytes - 1);
    const first = [...cached(6), ...direct(3, 6), ...cached(1, 9)];
    assert.deepEqual(await readAll(t, () => 100), [...first, ...cached(1), ...direct(2)]);
  });

  it('leads past the cache from the next file on when the last piece of a file was the one too many', async (t) => {
    if (!(await hasDirectIo(t, folder))) return;
    make('a', 6 * pieceBytes);
    make('b', pieceBytes);
    assert.deepEqual(await readAll(t, () => 100), [...cached(6), ...direct(1)]);
  });

  it('is judged over several files', async (t) => {
    if (!(await hasDirectIo(t, folder))) return;
    for (const name of ['a', 'b', 'c', 'd']) make(name, 2 * pieceBytes);
    assert.deepEqual(await readAll(t, () => 100), [...cached(2), ...cached(2), ...cached(2), ...direct(2)]);
  });

  it('is the page cache where direct reads are refused', async (t) => {
    if (!(await hasDirectIo(t, folder))) return;
    make('a', 8 * pieceBytes);
    assert.deepEqual(await readAll(t, () => 100, true), [...cached(6), ...direct(1, 6), ...cached(2, 6)]);
  });

  it('leads back to the cache when a later file comes fast', async (t) => {
    if (!(await hasDirectIo(t, folder))) return;
    make('a', 6 * pieceBytes);
    for (let number = 10; number < 28; number++) make(`b${number}`, pieceBytes);
    const ways = await readAll(t, (index) => (index < 6 ? 100 : 1));
    const later = Array.from({ length: 18 }, (_, index) => ({ isDirect: index < 15, offset: 0 }));
    assert.deepEqual(ways, [...cached(6), ...later]);
  });
});
