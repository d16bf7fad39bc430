/** An abort ends an operation wherever it is, and leaves nothing half-done. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  createBackup,
  FilesSource,
  openArchive,
  type RunOptions,
  repairArchive,
  restoreBackup,
  SqliteSource,
  validateBackup,
} from '../../src/index.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { emptyFolder, flyingClock, makeDatabase, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('abort');
const tree = join(workspace, 'tree');
const database = join(workspace, 'shop.db');
const whole = join(workspace, 'whole.holdfast');
const temporaryFolder = join(workspace, 'temporary');
const interrupted = { code: 'operation.interrupted', exitCode: 130 };
let damaged: Buffer;

before(async () => {
  for (const folder of [tree, temporaryFolder]) mkdirSync(folder);
  const random = new SeededRandom(6);
  for (let index = 0; index < 4; index += 1) writeFileSync(join(tree, `f${index}`), random.bytes(700_000));
  makeDatabase(database, 100);
  await backUp(whole, {});
  damaged = readFileSync(whole).fill(0, 10 * 4096, 12 * 4096);
});

function backUp(output: string, run: RunOptions) {
  const sources = [new SqliteSource({ path: database }), new FilesSource({ path: tree })];
  return createBackup({ threads: 1, ...run, sources, output, encryption: 'none', temporaryFolder });
}

/** An operation, and what must be true after an abort of it. */
interface Subject {
  readonly run: (options: RunOptions, folder: string) => Promise<unknown>;
  readonly prepare?: (folder: string) => void;
  readonly assertUntouched: (folder: string) => void;
}

const nothing = (folder: string) => assert.deepEqual(readdirSync(folder), []);

const subjects: Record<string, Subject> = {
  createBackup: {
    prepare: (folder) => writeFileSync(join(folder, 'x'), 'old'),
    run: (options, folder) => backUp(join(folder, 'x'), options),
    assertUntouched: (folder) => {
      assert.deepEqual(readdirSync(folder), ['x']);
      assert.equal(readFileSync(join(folder, 'x'), 'utf8'), 'old');
      assert.deepEqual(readdirSync(temporaryFolder), []);
    },
  },
  restoreBackup: {
    run: (options, folder) =>
      restoreBackup({ ...options, archive: whole, filesTo: join(folder, 'out'), to: [`sqlite:${folder}/d.db`] }),
    assertUntouched: nothing,
  },
  validateBackup: { run: (options) => validateBackup({ ...options, archive: whole }), assertUntouched: nothing },
  repairArchive: {
    prepare: (folder) => writeFileSync(join(folder, 'x'), damaged),
    run: (options, folder) => repairArchive({ ...options, archive: join(folder, 'x') }),
    assertUntouched: (folder) => {
      assert.deepEqual(readdirSync(folder), ['x']);
      assert.ok(readFileSync(join(folder, 'x')).equals(damaged));
    },
  },
};

for (const [name, { run, prepare, assertUntouched }] of Object.entries(subjects)) {
  test(`${name} is aborted at each of its steps`, { timeout: 60_000 }, async () => {
    /** Runs once, aborted at this step, and says how many steps there were and whether it was aborted. */
    const runTo = async (step: number): Promise<{ steps: number; isAborted: boolean }> => {
      const folder = await emptyFolder(workspace, 'work');
      prepare?.(folder);
      const controller = new AbortController();
      let steps = 0;
      const onProgress = () => {
        steps += 1;
        if (steps === step) controller.abort();
      };
      const options = { threads: 1, clock: flyingClock(), signal: controller.signal, onProgress };
      if (step === 0) controller.abort();
      try {
        await run(options, folder);
        return { steps, isAborted: false };
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error);
        assert.equal(error.code, 'operation.interrupted', String(error));
        assertUntouched(folder);
        return { steps, isAborted: true };
      }
    };
    const { steps } = await runTo(-1);
    assert.ok(steps > 1, `${steps} steps`);
    // The last steps may be reported when all is done; how many are depends on the threads.
    for (let step = 0; step <= Math.min(steps, 30); step += steps > 12 ? 3 : 1) {
      const { isAborted } = await runTo(step);
      assert.ok(isAborted || step > steps / 2, `step ${step} of ${steps}`);
    }
  });
}

test('a backup is aborted at any turn of the event loop, while a database is copied too', {
  timeout: 60_000,
}, async () => {
  const { prepare, assertUntouched } = subjects['createBackup'] as Subject;
  for (let turns = 1; turns <= 1024; turns *= 2) {
    const folder = await emptyFolder(workspace, 'turns');
    prepare?.(folder);
    const controller = new AbortController();
    const running = assert.rejects(backUp(join(folder, 'x'), { signal: controller.signal }), interrupted);
    for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
    controller.abort();
    await running;
    assertUntouched(folder);
  }
});

/** An entry may be one piece or several: the large one is longer than a segment. */
for (const path of ['files/tree/small', 'files/tree/large']) {
  test(`an archive that is open is no longer read after an abort, and can be closed: ${path}`, {
    timeout: 60_000,
  }, async () => {
    const archivePath = join(workspace, 'pieces.holdfast');
    const folder = join(await emptyFolder(workspace, 'pieces'), 'tree');
    mkdirSync(folder);
    writeFileSync(join(folder, 'small'), 'a few bytes');
    writeFileSync(join(folder, 'large'), new SeededRandom(7).bytes(6_000_000));
    const sources = [new FilesSource({ path: folder })];
    await createBackup({ threads: 1, sources, output: archivePath, encryption: 'none', temporaryFolder });
    const controller = new AbortController();
    await using archive = await openArchive({ archive: archivePath, threads: 1, signal: controller.signal });
    const read = async () => {
      for await (const _ of archive.read(path)) controller.abort();
    };
    await assert.rejects(read, interrupted);
    await archive.close();
    const aborted = AbortSignal.abort();
    await assert.rejects(openArchive({ archive: archivePath, signal: aborted }), interrupted);
    await rm(archivePath);
  });
}

test('an abort that comes too late changes nothing', async () => {
  const output = join(workspace, 'late.holdfast');
  const controller = new AbortController();
  await backUp(output, { signal: controller.signal });
  controller.abort();
  assert.equal((await validateBackup({ archive: output, threads: 1 })).state, 'intact');
  assert.ok(existsSync(output));
  await rm(output);
});
