import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { systemClock } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { SeededRandom } from '../../testing/seeded-random.ts';
import { type CollectedEntry, collectSource } from '../../testing/source-cases.ts';
import type { EntryMetadata } from '../source.ts';
import { partialPath, staleAfterMs } from '../staging.ts';
import type { RestorableEntry, TargetChange } from '../target.ts';
import { FileTreeTarget, type FileTreeTargetOptions } from './file-tree-target.ts';
import { FilesSource } from './files-source.ts';

let folder: string;
let root: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-tree-')));
  root = join(folder, 'app');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface TestEntry extends RestorableEntry {
  readonly bytes: Uint8Array;
}

function entry(path: string, kind: string, text = '', metadata: EntryMetadata = {}): TestEntry {
  const bytes = Buffer.from(text);
  return { path, kind, bytes, sizeBytes: bytes.length, metadata };
}
const file = (path: string, text: string, metadata?: EntryMetadata) => entry(path, 'file', text, metadata);
const directory = (path: string, metadata?: EntryMetadata) => entry(path, 'directory', '', metadata);
const link = (path: string, target: string) => entry(path, 'symlink', '', { target });

async function* inChunks(bytes: Uint8Array, sizeBytes = 1024 * 1024): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += sizeBytes) yield bytes.subarray(start, start + sizeBytes);
}

const newTarget = (options: Partial<FileTreeTargetOptions> = {}) =>
  new FileTreeTarget({ rootPath: root, prefix: 'files/n', ...options });

/** Plans, stages and commits, and aborts when one of them fails, as a run does. */
async function restore(
  entries: readonly TestEntry[],
  options: Partial<FileTreeTargetOptions> = {},
): Promise<TargetChange> {
  const target = newTarget(options);
  try {
    const planned = await target.plan(entries);
    for (const item of entries) await target.stage(item, inChunks(item.bytes));
    const change = await target.commit();
    assert.deepEqual(change, planned);
    return change;
  } finally {
    await target.abort();
  }
}

function hasCode(code: string, text = '') {
  return (error: unknown) => error instanceof HoldfastError && error.code === code && error.message.includes(text);
}

const restorable = (collected: readonly CollectedEntry[]): TestEntry[] =>
  collected.map((item) => ({ ...item, sizeBytes: item.bytes.length }));

describe('FileTreeTarget: a root that is not there', () => {
  it('gives back modes, times, owners, links, empty folders and names in any encoding', async () => {
    const from = join(folder, 'from');
    mkdirSync(join(from, 'sub', 'empty'), { recursive: true });
    writeFileSync(join(from, 'sub', 'file'), Buffer.alloc(2_500_000, 'abc'));
    writeFileSync(join(from, 'zero'), '');
    writeFileSync(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff, 0x61])]), 'bytes');
    symlinkSync('/no/such/place', join(from, 'absolute'));
    symlinkSync('../..', join(from, 'sub', 'up'));
    chmodSync(join(from, 'sub', 'file'), 0o4751);
    chmodSync(join(from, 'sub'), 0o1770);
    utimesSync(join(from, 'sub', 'file'), 1, 1_600_000_000.123456);
    utimesSync(join(from, 'sub'), 1, 1_500_000_000);
    utimesSync(from, 1, -5.25);
    const before = await collectSource(new FilesSource({ path: from, name: 'n' }));
    const change = await restore(restorable(before.entries));
    assert.deepEqual(change, { target: root, action: 'create' });
    const after = await collectSource(new FilesSource({ path: root, name: 'n' }));
    const withoutTime = ({ metadata, ...rest }: CollectedEntry) => {
      const { mtimeNs, source, ...others } = metadata as Record<string, unknown>;
      return { ...rest, others };
    };
    assert.deepEqual(after.entries.map(withoutTime), before.entries.map(withoutTime));
    const time = (entry: CollectedEntry | undefined) => BigInt(String(entry?.metadata['mtimeNs']));
    for (const [index, entry] of before.entries.entries()) {
      const apartNs = Number(time(after.entries[index]) - time(entry));
      assert.ok(Math.abs(apartNs) <= 250, `${entry.path}: ${apartNs} ns`);
    }
    assert.deepEqual(readdirSync(folder).sort(), ['app', 'from']);
  });

  it('shows nothing under the root before the commit, and nothing at all after an abort', async () => {
    const target = newTarget({ rootPath: join(folder, 'new', 'deep', 'app') });
    await target.stage(directory('files/n'), inChunks(new Uint8Array()));
    const item = file('files/n/a', 'text');
    await target.stage(item, inChunks(item.bytes));
    assert.equal(existsSync(join(folder, 'new', 'deep', 'app')), false);
    const [partial] = readdirSync(join(folder, 'new', 'deep'));
    assert.match(partial ?? '', new RegExp(`^\\.app\\.holdfast-${process.pid}-[0-9a-f]{12}\\.partial$`));
    assert.equal(statSync(join(folder, 'new', 'deep', partial ?? '')).mode & 0o777, 0o700);
    await target.abort();
    await target.abort();
    assert.deepEqual(readdirSync(folder), []);
  });

  it('plans without writing', async () => {
    assert.deepEqual(await newTarget().plan([directory('files/n'), file('files/n/a', 'x')]), {
      target: root,
      action: 'create',
    });
    assert.deepEqual(readdirSync(folder), []);
  });

  it('takes entries in any order and without their folders', async () => {
    await restore([file('files/n/a/b/c', 'deep'), directory('files/n/a', { mode: 0o750 }), file('files/n/top', 'top')]);
    assert.equal(readFileSync(join(root, 'a', 'b', 'c'), 'utf8'), 'deep');
    assert.equal(statSync(join(root, 'a')).mode & 0o777, 0o750);
  });

  it('restores a root that is a single file', async () => {
    await restore([file('files/n', 'single', { mode: 0o600 })]);
    assert.equal(readFileSync(root, 'utf8'), 'single');
    assert.equal(statSync(root).mode & 0o777, 0o600);
  });

  it('passes over kinds that it does not know, and refuses to commit nothing', async () => {
    await restore([directory('files/n'), entry('files/n/x', 'hologram')]);
    assert.deepEqual(readdirSync(root), []);
    await assert.rejects(newTarget().plan([entry('files/n/x', 'hologram')]), hasCode('target.invalid'));
    await assert.rejects(newTarget().commit(), hasCode('target.invalid'));
  });

  it('refuses bytes of another size than the index tells, and a link without target', async () => {
    const short = { ...file('files/n/a', 'text'), sizeBytes: 5 };
    await assert.rejects(restore([short]), hasCode('target.invalid', 'files/n/a'));
    await assert.rejects(restore([entry('files/n/l', 'symlink')]), hasCode('target.invalid'));
    assert.deepEqual(readdirSync(folder), []);
  });

  it('restores a thousand small files and leaves no handle open', async () => {
    const entries = Array.from({ length: 1_000 }, (_, index) => file(`files/n/${index % 100}/${index}`, `${index}`));
    await restore(entries);
    assert.equal(readdirSync(join(root, '99')).length, 10);
    assert.equal(readFileSync(join(root, '42', '942'), 'utf8'), '942');
    const open = readdirSync('/proc/self/fd').filter((name) => {
      const path = join('/proc/self/fd', name);
      return existsSync(path) && readlinkSync(path).startsWith(folder);
    });
    assert.deepEqual(open, []);
  });
});

describe('FileTreeTarget: hostile entries', () => {
  const hostile: Record<string, TestEntry[]> = {
    'an absolute path': [file('/etc/passwd', 'x')],
    'a path above the root': [file('files/n/../../x', 'x')],
    'a path of another root': [file('files/name/x', 'x')],
    'a file below a link': [link('files/n/l', '/tmp'), file('files/n/l/x', 'x')],
    'a file below a link that comes later': [file('files/n/l/x', 'x'), link('files/n/l', '/tmp')],
    'a file below a file': [file('files/n/f', 'x'), file('files/n/f/x', 'x')],
    'a folder that is a link too': [directory('files/n/l'), link('files/n/l', '/tmp')],
    'an entry that comes twice': [file('files/n/f', 'x'), file('files/n/f', 'y')],
    'a link at the root with a file below': [link('files/n', '/tmp'), file('files/n/x', 'x')],
  };
  for (const [name, entries] of Object.entries(hostile)) {
    it(`refuses ${name}, in the plan and when it is staged`, async () => {
      await assert.rejects(newTarget().plan(entries), hasCode('target.unsafe'));
      const target = newTarget();
      const stageAll = async () => {
        for (const item of entries) await target.stage(item, inChunks(item.bytes));
      };
      await assert.rejects(stageAll(), hasCode('target.unsafe'));
      await target.abort();
      assert.deepEqual(readdirSync(folder), []);
    });
  }

  it('does not write through a link that stands in the target', async () => {
    mkdirSync(root);
    mkdirSync(join(folder, 'outside'));
    symlinkSync(join(folder, 'outside'), join(root, 'd'));
    for (const overwrite of [false, true]) {
      await assert.rejects(restore([file('files/n/d/x', 'x')], { overwrite }), hasCode('target.unsafe'));
    }
    assert.deepEqual(readdirSync(join(folder, 'outside')), []);
  });

  it('looks again when it commits: a link may have come since', async () => {
    mkdirSync(join(root, 'd'), { recursive: true });
    mkdirSync(join(folder, 'outside'));
    const target = newTarget();
    const item = file('files/n/d/x', 'x');
    await target.plan([item]);
    await target.stage(item, inChunks(item.bytes));
    rmSync(join(root, 'd'), { recursive: true });
    symlinkSync(join(folder, 'outside'), join(root, 'd'));
    await assert.rejects(target.commit(), hasCode('target.unsafe'));
    await target.abort();
    assert.deepEqual(readdirSync(join(folder, 'outside')), []);
  });

  it('takes a root that is itself a link to a folder for that folder', async () => {
    mkdirSync(join(folder, 'real'));
    symlinkSync(join(folder, 'real'), root);
    assert.equal((await restore([directory('files/n'), file('files/n/x', 'x')])).action, 'merge');
    assert.equal(readFileSync(join(folder, 'real', 'x'), 'utf8'), 'x');
    assert.ok(lstatSync(root).isSymbolicLink());
  });

  it('refuses a root that is a link to nothing', async () => {
    symlinkSync(join(folder, 'nothing'), root);
    await assert.rejects(restore([directory('files/n')]), hasCode('target.exists'));
  });
});

describe('FileTreeTarget: a root that is there', () => {
  const clock = new FakeClock(Date.UTC(2026, 1, 3, 4, 5, 6));
  const undoName = 'app.holdfast-undo-20260203T040506Z';
  const entries = [
    directory('files/n', { mode: 0o711 }),
    directory('files/n/d', { mode: 0o711 }),
    file('files/n/d/old', 'new text'),
    file('files/n/d/fresh', 'fresh'),
    file('files/n/added/deep', 'added'),
    link('files/n/link', 'new-target'),
  ];
  beforeEach(() => {
    mkdirSync(join(root, 'd'), { recursive: true, mode: 0o755 });
    writeFileSync(join(root, 'd', 'old'), 'old text');
    writeFileSync(join(root, 'd', 'extra'), 'extra');
    symlinkSync('old-target', join(root, 'link'));
  });

  it('merges what is new without asking, and leaves the folders as they are', async () => {
    const change = await restore([...entries.slice(0, 2), file('files/n/d/fresh', 'fresh')], { clock });
    assert.deepEqual(change, { target: root, action: 'merge' });
    assert.deepEqual(readdirSync(join(root, 'd')).sort(), ['extra', 'fresh', 'old']);
    assert.equal(statSync(join(root, 'd')).mode & 0o777, 0o755);
    assert.deepEqual(readdirSync(folder), ['app']);
  });

  it('refuses to replace, naming what, and writes nothing', async () => {
    const many = ['d/old', 'd/extra', 'link', 'x'].map((name) => join(root, name));
    writeFileSync(join(root, 'x'), 'x');
    const all = [...entries, file('files/n/d/extra', 'x'), file('files/n/x', 'x')];
    await assert.rejects(restore(all, { clock }), (error) => {
      assert.ok(error instanceof HoldfastError && error.code === 'target.exists');
      assert.equal(many.filter((name) => error.message.includes(`${name}`)).length >= 3, true);
      return error.message.includes('and 1 more');
    });
    assert.equal(readFileSync(join(root, 'd', 'old'), 'utf8'), 'old text');
    assert.deepEqual(readdirSync(folder), ['app']);
  });

  it('replaces when it may, keeps what was replaced beside, and leaves what the archive lacks', async () => {
    const change = await restore(entries, { overwrite: true, clock });
    assert.deepEqual(change, { target: root, action: 'merge', undo: join(folder, undoName) });
    assert.equal(readFileSync(join(root, 'd', 'old'), 'utf8'), 'new text');
    assert.equal(readFileSync(join(root, 'd', 'extra'), 'utf8'), 'extra');
    assert.equal(readFileSync(join(root, 'added', 'deep'), 'utf8'), 'added');
    assert.equal(readlinkSync(join(root, 'link')), 'new-target');
    assert.equal(statSync(join(root, 'd')).mode & 0o777, 0o711);
    assert.equal(readFileSync(join(folder, undoName, 'd', 'old'), 'utf8'), 'old text');
    assert.equal(readlinkSync(join(folder, undoName, 'link')), 'old-target');
    assert.deepEqual(readdirSync(folder).sort(), ['app', undoName]);
  });

  it('finds another name for the undo when two restores fall in one second', async () => {
    await restore(entries, { overwrite: true, clock });
    const second = await restore([file('files/n/d/old', 'third')], { overwrite: true, clock });
    assert.equal(second.undo, join(folder, `${undoName}-2`));
    assert.equal(readFileSync(join(folder, `${undoName}-2`, 'd', 'old'), 'utf8'), 'new text');
  });

  it('keeps nothing when no undo is wanted', async () => {
    const change = await restore(entries, { overwrite: true, keepUndo: false, clock });
    assert.deepEqual(change, { target: root, action: 'merge' });
    assert.equal(readFileSync(join(root, 'd', 'old'), 'utf8'), 'new text');
    assert.deepEqual(readdirSync(folder), ['app']);
  });

  it('refuses another kind in the place, even when it may replace', async () => {
    for (const item of [
      file('files/n/d', 'x'),
      link('files/n/d', 'x'),
      directory('files/n/d/old'),
      file('files/n/link', 'x'),
      file('files/n', 'x'),
    ]) {
      await assert.rejects(restore([item], { overwrite: true }), hasCode('target.exists', 'as the archive has it'));
    }
    await assert.rejects(restore([file('files/n/d/old/below', 'x')], { overwrite: true }), hasCode('target.exists'));
    assert.equal(readFileSync(join(root, 'd', 'old'), 'utf8'), 'old text');
  });

  it('replaces a single file', async () => {
    const rootPath = join(root, 'd', 'old');
    await assert.rejects(restore([file('files/n', 'single')], { rootPath }), hasCode('target.exists', rootPath));
    const change = await restore([file('files/n', 'single')], { rootPath, overwrite: true, clock });
    assert.equal(change.action, 'replace');
    assert.equal(readFileSync(rootPath, 'utf8'), 'single');
    assert.equal(readFileSync(join(change.undo ?? '', 'old'), 'utf8'), 'old text');
  });

  it('takes everything back when the commit fails on the way', async () => {
    const before = await collectSource(new FilesSource({ path: root }));
    const target = newTarget({ overwrite: true, clock });
    const last = file('files/n/zz', 'last');
    for (const item of [...entries, last]) await target.stage(item, inChunks(item.bytes));
    // What was staged last is gone: the rename that comes after all others fails.
    const partial = readdirSync(folder).find((name) => name.endsWith('.partial')) ?? '';
    rmSync(join(folder, partial, 'tree', 'zz'));
    await assert.rejects(target.commit(), hasCode('storage.failed'));
    await target.abort();
    const after = await collectSource(new FilesSource({ path: root }));
    const contents = (items: readonly CollectedEntry[]) =>
      items.map(({ path, kind, bytes, metadata }) => [path, kind, String(bytes), metadata['mode'], metadata['target']]);
    assert.deepEqual(contents(after.entries), contents(before.entries));
    assert.deepEqual(readdirSync(folder), ['app']);
  });
});

describe('FileTreeTarget: what dead restores left', () => {
  /** The number of a process that is gone. */
  function deadProcessId(): number {
    return spawnSync(process.execPath, ['--eval', '']).pid;
  }

  it('removes the staged folders of processes that are gone or silent for an hour, and no others', async () => {
    const mine = partialPath(root, new SeededRandom(1));
    const dead = mine.replace(`-${process.pid}-`, `-${deadProcessId()}-`);
    const old = partialPath(root, new SeededRandom(2));
    const fresh = partialPath(root, new SeededRandom(3));
    const other = partialPath(join(folder, 'app2'), new SeededRandom(4)).replace(
      `-${process.pid}-`,
      `-${deadProcessId()}-`,
    );
    for (const path of [dead, old, fresh, other]) mkdirSync(join(path, 'tree', 'd'), { recursive: true });
    const nowMs = systemClock.nowMs();
    utimesSync(old, nowMs / 1000, (nowMs - staleAfterMs - 1000) / 1000);
    utimesSync(fresh, nowMs / 1000, (nowMs - staleAfterMs + 1000) / 1000);
    await restore([directory('files/n')], { clock: new FakeClock(nowMs) });
    assert.deepEqual(
      [dead, old, fresh, other].map((path) => existsSync(path)),
      [false, false, true, true],
    );
  });

  it('shows that it is alive while it works', async () => {
    const clock = new FakeClock(Date.UTC(2030, 0, 1));
    const target = newTarget({ clock });
    await target.stage(directory('files/n'), inChunks(new Uint8Array()));
    const partial = join(folder, readdirSync(folder)[0] ?? '');
    async function* slowly() {
      yield Buffer.from('a');
      clock.advance(10 * 60_000);
      yield Buffer.from('b');
    }
    await target.stage(file('files/n/a', 'ab'), slowly());
    assert.equal(statSync(partial).mtimeMs, clock.nowMs());
    await target.abort();
  });
});
