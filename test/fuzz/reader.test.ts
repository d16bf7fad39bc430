/** Hostile archives: a reader answers with bytes or with a typed error, in bounded time and memory. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runFuzz } from './run-fuzz.ts';

describe('the reader', () => {
  it('answers mutated archives with bytes or typed errors', async () => {
    const outcomes = await runFuzz({ seed: 11, runs: 100 });
    // The mutations go deep enough to matter: some archives heal, some are refused in each way.
    const codes = [...outcomes.keys()].join(' ');
    for (const code of ['ok', 'archive.corrupt', 'archive.damaged', 'archive.not_an_archive']) {
      assert.ok(codes.includes(code), `${code} never came: ${codes}`);
    }
  });

  it('takes no memory for what an archive claims', () => {
    const child = join(import.meta.dirname, 'claims-child.ts');
    const { status, stderr } = spawnSync(process.execPath, ['--max-old-space-size=128', child], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });
});
