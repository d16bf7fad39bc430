/** The short part of the crashes, and proof that lost writes are seen. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { leftOut } from '../services/service-packages.ts';
import { crashEverywhere } from './crash-points.ts';
import { DiskModel, type Image, type Loss, writeImage } from './disk-model.ts';
import { scenarios } from './scenarios.ts';
import { type DiskChange, readTrace, traceProgram } from './trace.ts';

const parent = mkdtempSync(join(tmpdir(), 'holdfast-test-crash-'));
after(() => rmSync(parent, { recursive: true, force: true }));

/** An empty folder, or one with a file of two bytes. */
function disk(name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'old'), 'ab');
  return folder;
}

function shown(image: Image): string {
  return [...image].map(([path, content]) => `${path}=${Buffer.from(content).toString()}`).join(' ');
}

const everything: Loss = { names: 'all', contents: 'all' };
const nothing: Loss = { names: 'none', contents: 'none' };

/** What stands on a disk after changes, and a crash. */
function standsAfter(folder: string, changes: readonly DiskChange[], loss: Loss): string {
  const model = new DiskModel(folder);
  for (const [index, change] of changes.entries()) model.apply(change, index);
  return shown(model.image(loss, new SeededRandom(1)));
}

describe('a disk that loses what was not synced', () => {
  const folder = disk('model');
  const at = (name: string) => join(folder, name);
  const bytes = Buffer.from('new');
  const write: readonly DiskChange[] = [
    { kind: 'open', path: at('part'), isNew: true, isEmptied: false },
    { kind: 'write', path: at('part'), offset: 0, bytes },
  ];
  const sync = (path: string, begunAt: number): DiskChange => ({ kind: 'sync', path, begunAt });
  const rename: DiskChange = { kind: 'rename', from: at('part'), path: at('old') };

  it('has all of it where nothing was lost', () => {
    assert.equal(standsAfter(folder, [...write, rename], everything), 'old=new');
  });

  it('has an empty file where the contents alone were lost', () => {
    assert.equal(standsAfter(folder, [...write, rename], { names: 'all', contents: 'none' }), 'old=');
  });

  it('has the old file where the rename was lost, whatever was synced of the new one', () => {
    assert.equal(standsAfter(folder, [...write, sync(at('part'), 2), rename], nothing), 'old=ab');
  });

  it('keeps what was synced, file and folder', () => {
    const done = [...write, sync(at('part'), 2), rename, sync(folder, 4)];
    assert.equal(standsAfter(folder, done, nothing), 'old=new');
  });

  it('does not keep what was written while a sync was under way', () => {
    const later: DiskChange = { kind: 'write', path: at('part'), offset: 3, bytes };
    assert.equal(
      standsAfter(folder, [...write, later, sync(at('part'), 2), rename, sync(folder, 5)], nothing),
      'old=new',
    );
  });

  it('is written as it is', () => {
    const image = new Map<string, Uint8Array | string>([
      ['a/', ''],
      ['a/b', Buffer.from('c')],
    ]);
    writeImage(image, join(parent, 'written'));
    assert.equal(readFileSync(join(parent, 'written/a/b'), 'utf8'), 'c');
  });
});

it('a trace is read by the ends of its calls, whichever thread made them', () => {
  const hex = (text: string) =>
    [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  const trace = [
    `7 openat(AT_FDCWD<${hex('/d')}>, "${hex('f')}", O_WRONLY|O_CREAT, 0600) = 5<${hex('/d/f')}>`,
    `7 pwrite64(5<${hex('/d/f')}>, "${hex('xyz')}", 3, 0 <unfinished ...>`,
    `8 fsync(5<${hex('/d/f')}> <unfinished ...>`,
    '7 <... pwrite64 resumed>) = 3',
    '8 <... fsync resumed>) = 0',
    `8 write(5<${hex('/d/f')}>, "${hex('abcd')}", 4) = 2`,
    `8 rename("${hex('/d/f')}", "${hex('/d/g')}") = -1 ENOENT (No such file or directory)`,
    `8 unlinkat(AT_FDCWD<${hex('/d')}>, "${hex('/d/f')}", 0) = 0`,
    `8 unlink("${hex('/elsewhere')}") = 0`,
  ].join('\n');
  assert.deepEqual(readTrace(trace, '/d'), [
    { kind: 'open', path: '/d/f', isNew: true, isEmptied: false },
    { kind: 'write', path: '/d/f', offset: 0, bytes: Buffer.from('xyz') },
    { kind: 'sync', path: '/d/f', begunAt: 1 },
    { kind: 'write', path: '/d/f', offset: 0, bytes: Buffer.from('ab') },
    { kind: 'unlink', path: '/d/f' },
  ]);
});

describe('a crash', { skip: leftOut('strace') }, () => {
  it('of a program that does not sync is seen', () => {
    const folder = disk('careless');
    const script = `const fs = require('node:fs'); fs.writeFileSync('part', 'new'); fs.renameSync('part', 'old');`;
    const model = new DiskModel(folder);
    const changes = traceProgram({ command: [process.execPath, '-e', script], folder, environment: {} });
    for (const [index, change] of changes.entries()) model.apply(change, index);
    assert.equal(shown(model.image({ names: 'all', contents: 'none' }, new SeededRandom(1))), 'old=');
  });

  for (const name of ['replace', 'overwrite']) {
    it(`of ${name} leaves the old or the new`, async (t) => {
      const scenario = scenarios[name];
      assert.ok(scenario);
      const found = await crashEverywhere({ scenario, seed: 1, maximumStates: 12, commandLine: 'source' });
      assert.deepEqual(found.failures, []);
      assert.ok(found.syncs > 0 && found.checked === 12);
      t.diagnostic(`${found.changes} changes, ${found.checked} of ${found.states} states`);
    });
  }
});
