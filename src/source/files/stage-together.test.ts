import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { collectSource } from '../../testing/source-cases.ts';
import type { RestorableEntry } from '../target.ts';
import { appliedMetadata, defaultFileMode } from './apply-metadata.ts';
import { restoredMetadata } from './file-metadata.ts';
import { FileTreeTarget } from './file-tree-target.ts';
import { FilesSource } from './files-source.ts';
import { joinFiles, writeSmallFiles } from './write-small-files.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-together-')));
  root = join(folder, 'app');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface TestEntry extends RestorableEntry {
  readonly bytes: Uint8Array;
}

/** Files of all kinds of sizes, modes, owners and times, in folders and in the root. */
const manyEntries: readonly TestEntry[] = Array.from({ length: 250 }, (_, index) => {
  const bytes = Buffer.alloc((index * 37) % 4097, `file ${index}`);
  const name = index % 5 === 0 ? `${index}` : `folder-${index % 7}/${index}`;
  const metadata = {
    ...(index % 3 === 0 ? {} : { mode: [0o600, 0o4755, 0o444][index % 3] ?? 0 }),
    ...(index % 4 === 0 ? {} : { mtimeNs: `${1_600_000_000_000_000_000n + BigInt(index) * 1_250_000_000n}` }),
    ...(index % 6 === 0 ? {} : { uid: 1000 + index, gid: 2000 + index }),
  };
  return { path: `files/n/${name}`, kind: 'file', bytes, sizeBytes: bytes.length, metadata };
});
const newTarget = (rootPath = root) => new FileTreeTarget({ rootPath, prefix: 'files/n' });
const joined = (entries: readonly TestEntry[]) => Buffer.concat(entries.map(({ bytes }) => bytes));
const openFiles = () =>
  readdirSync('/proc/self/fd')
    .map((name) => {
      try {
        return realpathSync(join('/proc/self/fd', name));
      } catch {
        return '';
      }
    })
    .filter((path) => path.startsWith(folder));
const isLinux = process.platform === 'linux';

async function stageAll(target: FileTreeTarget, entries: readonly TestEntry[]): Promise<void> {
  await target.plan(entries);
  for (let start = 0; start < entries.length; start += 60) {
    const some = entries.slice(start, start + 60);
    assert.ok(some.every((entry) => target.isStagedTogether(entry)));
    await target.stageTogether(some, joined(some));
  }
}

describe('small files that are staged together', () => {
  it('come back as those that are staged one by one', async () => {
    const single = newTarget(join(folder, 'single'));
    await single.plan(manyEntries);
    for (const entry of manyEntries) {
      await single.stage(
        entry,
        (async function* () {
          yield entry.bytes;
        })(),
      );
    }
    await single.commit();
    const target = newTarget();
    await stageAll(target, manyEntries);
    assert.ok(!existsSync(root));
    await target.commit();
    if (isLinux) assert.deepEqual(openFiles(), []);
    const collect = async (path: string) => {
      const { entries } = await collectSource(new FilesSource({ path, name: 'n' }));
      // Of folders, and of files without a time, it is now.
      return new Map(
        entries.map(({ path: name, bytes, kind, metadata }) => {
          const { mtimeNs, source: _source, ...rest } = metadata;
          const known = manyEntries.find((each) => each.path === name)?.metadata['mtimeNs'] !== undefined;
          return [
            name,
            {
              sha256: createHash('sha256').update(bytes).digest('hex'),
              kind,
              metadata: known ? { ...rest, mtimeNs } : rest,
            },
          ];
        }),
      );
    };
    assert.deepEqual(await collect(root), await collect(join(folder, 'single')));
  });

  it('are not, where there are few of them or they are no files', async () => {
    const target = newTarget();
    const [entry = assert.fail()] = manyEntries;
    await target.plan(manyEntries.slice(0, 200));
    assert.equal(target.isStagedTogether(entry), false);
    const larger = newTarget();
    await larger.plan(manyEntries.slice(0, 201));
    assert.equal(larger.isStagedTogether(entry), true);
    assert.equal(larger.isStagedTogether({ ...entry, kind: 'symlink' }), false);
  });

  it('leave nothing when one of them cannot be written', async () => {
    const target = newTarget();
    await stageAll(target, manyEntries);
    const [staged = assert.fail()] = readdirSync(folder);
    writeFileSync(join(folder, staged, 'tree', 'second'), 'in the way');
    const [entry = assert.fail()] = manyEntries;
    const more = ['first', 'second', 'third'].map((name) => ({ ...entry, path: `files/n/${name}` }));
    await assert.rejects(
      target.stageTogether(more, joined(more)),
      (error) => error instanceof HoldfastError && error.code === 'storage.failed' && error.message.includes('EEXIST'),
    );
    await target.abort();
    if (isLinux) assert.deepEqual(openFiles(), []);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('come once, and below the root alone', async () => {
    const target = newTarget();
    await target.plan(manyEntries);
    const [entry = assert.fail()] = manyEntries;
    await assert.rejects(target.stageTogether([entry, entry], joined([entry, entry])), { code: 'target.unsafe' });
    await assert.rejects(target.stageTogether([{ ...entry, path: 'files/n/../x' }], entry.bytes), {
      code: 'target.unsafe',
    });
    await target.abort();
  });
});

describe('writing small files', () => {
  const order = (names: readonly string[]) => {
    const metadata = appliedMetadata(restoredMetadata({}), defaultFileMode);
    const files = names.map((name) => ({ path: Buffer.from(join(folder, name)), sizeBytes: 3, metadata }));
    return joinFiles(files, Buffer.from('onetwothree'.slice(0, 3 * names.length)));
  };

  it('replaces none, and closes what it opened before it', { skip: !isLinux && 'tells open files by /proc' }, () => {
    writeFileSync(join(folder, 'there'), 'before');
    assert.throws(() => writeSmallFiles(order(['new', 'there'])), { code: 'EEXIST' });
    assert.equal(readFileSync(join(folder, 'there'), 'utf8'), 'before');
    assert.deepEqual(openFiles(), []);
  });

  it('gives open files, in order', () => {
    mkdirSync(join(folder, 'sub'));
    const descriptors = writeSmallFiles(order(['a', 'sub/b']));
    assert.equal(descriptors.length, 2);
    for (const file of descriptors) closeSync(file);
    assert.deepEqual(
      ['a', 'sub/b'].map((name) => readFileSync(join(folder, name), 'utf8')),
      ['one', 'two'],
    );
    assert.equal(statSync(join(folder, 'a')).mode & 0o777, 0o666 & ~process.umask());
  });
});
