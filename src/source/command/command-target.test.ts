import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type ErrorCode, HoldfastError } from '../../errors.ts';
import type { RestorableEntry } from '../target.ts';
import { CommandTarget } from './command-target.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-command-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const entry: RestorableEntry = { path: 'databases/x/stream', kind: 'stream', sizeBytes: 6, metadata: {} };
const shell = (line: string, signal?: AbortSignal) => new CommandTarget({ command: ['sh', '-c', line], signal });

/** The same memory for every chunk, as the reader of an archive gives it. */
async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(100);
  for (const text of texts) {
    const length = memory.write(text);
    yield memory.subarray(0, length);
    memory.fill('!');
  }
}

function isError(code: ErrorCode, pattern: RegExp) {
  return (error: unknown) => error instanceof HoldfastError && error.code === code && pattern.test(error.message);
}

describe('CommandTarget', () => {
  it('feeds the program, which sees the end at the commit and not before', async () => {
    const [got, done] = [join(folder, 'got'), join(folder, 'done')];
    const target = shell(`cat > ${got}; echo end > ${done}`);
    assert.deepEqual(await target.plan([entry]), { target: 'sh', action: 'run' });
    await target.stage(entry, chunks('one', 'two'));
    assert.ok(!existsSync(done));
    assert.deepEqual(await target.commit(), { target: 'sh', action: 'run' });
    assert.equal(readFileSync(got, 'utf8'), 'onetwo');
    assert.ok(existsSync(done));
  });

  it('ends the program before it sees the end when the restore fails', async () => {
    const done = join(folder, 'never');
    const target = shell(`cat > /dev/null; echo end > ${done}`);
    await target.stage(entry, chunks('one'));
    await target.abort();
    await target.abort();
    assert.ok(!existsSync(done));
  });

  it('fails with what the program said on either of its outputs', async () => {
    const target = shell('cat > /dev/null; echo bad row 7; echo rolled back >&2; exit 3');
    await target.stage(entry, chunks('one'));
    await assert.rejects(target.commit(), isError('tool.failed', /exit code 3: .*bad row 7/));
    await target.abort();
  });

  it('fails when the program ends early, even with 0', async () => {
    async function* endless() {
      for (;;) yield Buffer.alloc(100_000);
    }
    const early = shell('head -c 10 > /dev/null');
    await assert.rejects(early.stage(entry, endless()), isError('tool.failed', /before it had read everything/));
    await early.abort();
    const failing = shell('echo no access >&2; exit 4');
    await assert.rejects(failing.stage(entry, endless()), isError('tool.failed', /exit code 4: no access/));
    await failing.abort();
  });

  it('is ended by an abort while the program does not read', async () => {
    const controller = new AbortController();
    const target = shell('exec sleep 600', controller.signal);
    let given = 0;
    async function* endless() {
      for (;;) {
        given += 1;
        if (given === 2) controller.abort();
        // The first fits into the pipe, the second does not.
        yield Buffer.alloc(given === 1 ? 10 : 1_000_000);
      }
    }
    await assert.rejects(target.stage(entry, endless()), isError('operation.interrupted', /./));
    assert.equal(given, 2);
    await target.abort();
  });

  it('waits for nothing that the program leaves running', () => {
    const left = join(folder, 'left');
    const script = `
      const { CommandTarget } = await import(${JSON.stringify(new URL('./command-target.ts', import.meta.url).href)});
      const target = new CommandTarget({ command: ['sh', '-c', 'cat > /dev/null; sleep 600 & echo $! > ${left}'] });
      await target.stage(${JSON.stringify(entry)}, (async function* () { yield Buffer.from('sixbyt'); })());
      console.log((await target.commit()).action);
      await target.abort();`;
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
      timeout: 30_000,
    });
    process.kill(Number(readFileSync(left, 'utf8')), 'SIGKILL');
    assert.deepEqual([child.status, child.stdout], [0, 'run\n'], child.stderr);
  });

  it('refuses other entries, more than one, and a program that is not there', async () => {
    const target = shell('cat');
    await assert.rejects(target.plan([]), isError('target.invalid', /exactly one/));
    await assert.rejects(target.plan([entry, entry]), isError('target.invalid', /exactly one/));
    await assert.rejects(target.plan([{ ...entry, kind: 'table' }]), isError('target.invalid', /exactly one/));
    const missing = new CommandTarget({ command: [join(folder, 'nothing')] });
    await assert.rejects(missing.plan([entry]), isError('tool.not_found', /nothing/));
  });
});
