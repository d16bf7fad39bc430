import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { systemClock } from '../clock.ts';
import { withTemporaryFolder } from './temporary-folder.ts';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'holdfast-temporary-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const dayMs = 24 * 60 * 60 * 1000;

function run<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  return withTemporaryFolder({ parent, clock: systemClock }, work);
}

/** The name of a folder of this run, as another process or host would have given it. */
async function foreignName(change: { processId?: number; tag?: string }): Promise<string> {
  const own = await run(async (folder) => basename(folder));
  return own.replace(/-(\d+)-([0-9a-f]{8})/, (_, processId, tag) => {
    return `-${change.processId ?? processId}-${change.tag ?? tag}`;
  });
}

/** The number of a process that has ended. */
function deadProcessId(): number {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return pid;
}

test('the folder is this user’s only, and goes whatever happens', async () => {
  const result = await run(async (folder) => {
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, 'deep', 'file'), 'x');
    return 7;
  });
  assert.equal(result, 7);
  await assert.rejects(
    run(async (folder) => {
      writeFileSync(join(folder, 'file'), 'x');
      throw new RangeError('no');
    }),
    RangeError,
  );
  assert.deepEqual(readdirSync(parent), []);
});

test('folders of dead runs are removed, and those of runs at work are not', async () => {
  const dead = await foreignName({ processId: deadProcessId() });
  const alive = await foreignName({ processId: process.ppid });
  const elsewhere = await foreignName({ processId: deadProcessId(), tag: '00000000' });
  const old = await foreignName({ tag: '00000001' });
  const unlike = ['.holdfast-run', `${dead}x`, dead.replace('run', 'ran'), 'holdfast-run'];
  for (const name of [dead, alive, elsewhere, old, ...unlike]) {
    mkdirSync(join(parent, name));
    writeFileSync(join(parent, name, 'copy'), 'x');
  }
  const set = (name: string, ageMs: number) => {
    const seconds = (systemClock.nowMs() - ageMs) / 1000;
    utimesSync(join(parent, name), seconds, seconds);
  };
  set(old, 7 * dayMs + 60_000);
  set(elsewhere, 7 * dayMs - 60_000);
  await run(async (folder) => {
    assert.deepEqual(readdirSync(parent).sort(), [alive, elsewhere, basename(folder), ...unlike].sort());
  });
});

test('a link is not followed, a file is left, and what is another user’s is not touched', async () => {
  const dead = deadProcessId();
  const kept = join(parent, 'kept');
  mkdirSync(kept);
  writeFileSync(join(kept, 'file'), 'x');
  const link = await foreignName({ processId: dead });
  symlinkSync(kept, join(parent, link));
  const file = await foreignName({ processId: dead });
  writeFileSync(join(parent, file), 'x');
  const names = ['kept', link, file];
  if (process.getuid?.() === 0) {
    const foreign = await foreignName({ processId: dead });
    mkdirSync(join(parent, foreign));
    chownSync(join(parent, foreign), 65534, 65534);
    names.push(foreign);
  }
  await run(async (folder) => {
    assert.deepEqual(readdirSync(parent).sort(), [...names, basename(folder)].sort());
  });
  assert.deepEqual(readdirSync(kept), ['file']);
});

test('what a killed drill restored into folders that may not be written goes too', () => {
  const script = `
    import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
    import { join } from 'node:path';
    const { withTemporaryFolder } = await import(${JSON.stringify(new URL('./temporary-folder.ts', import.meta.url).href)});
    const { systemClock: clock } = await import(${JSON.stringify(new URL('../clock.ts', import.meta.url).href)});
    if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
    const parent = ${JSON.stringify(parent)};
    const restore = (folder) => {
      mkdirSync(join(folder, 'module'), { recursive: true });
      writeFileSync(join(folder, 'module', 'file'), 'x');
      chmodSync(join(folder, 'module'), 0o555);
    };
    await withTemporaryFolder({ parent, clock }, async (folder) => {
      restore(folder.replace(/-\\d+-/, '-${deadProcessId()}-'));
    });
    await withTemporaryFolder({ parent, clock }, async (folder) => restore(folder));
    console.log(readdirSync(parent).length);`;
  chmodSync(parent, 0o777);
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8', env });
  assert.deepEqual([child.stdout, child.status], ['0\n', 0], child.stderr);
});

test('a parent that is not there is told', async () => {
  const missing = join(parent, 'missing');
  const running = withTemporaryFolder({ parent: missing, clock: systemClock }, async () => 1);
  await assert.rejects(running, { code: 'storage.not_found', message: `${missing}: it does not exist` });
});
