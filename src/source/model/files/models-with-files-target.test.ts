import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { HoldfastError } from '../../../errors.ts';
import { FileTreeTarget } from '../../files/file-tree-target.ts';
import type { RestorableEntry, TargetChange } from '../../target.ts';
import { ModelsWithFilesTarget, type RowsTarget } from './models-with-files-target.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-rows-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const prefix = 'models/shop/files/uploads';
const change: TargetChange = { target: 'shop', action: 'merge' };
const file: RestorableEntry = { path: `${prefix}/a.txt`, kind: 'file', sizeBytes: 1, metadata: {} };
const row: RestorableEntry = { path: 'models/shop/rows/a.jsonl', kind: 'model', sizeBytes: 0, metadata: { level: 0 } };

/** Rows whose last step fails, in a target with one file; tells the steps. */
function failing(name: string, error: unknown) {
  const rootPath = join(folder, name);
  const steps: string[] = [];
  const step = (text: string) => async () => {
    steps.push(`${text}${existsSync(rootPath) ? ', files are there' : ''}`);
    return change;
  };
  const rows: RowsTarget = {
    phaseOf: () => 1,
    plan: step('plan'),
    stage: async () => void (await step('stage')()),
    place: step('place'),
    rehearse: step('rehearse'),
    commit: async () => {
      await step('commit')();
      throw error;
    },
    abort: async () => void (await step('abort')()),
  };
  const target = new ModelsWithFilesTarget(rows, [{ prefix, target: new FileTreeTarget({ rootPath, prefix }) }]);
  const restore = async () => {
    try {
      await target.plan([file, row]);
      for (const entry of [file, row].toSorted((a, b) => target.phaseOf(a) - target.phaseOf(b))) {
        await target.stage(entry, Readable.from(entry === file ? [Buffer.from('x')] : []));
      }
      await target.commit();
    } catch (thrown) {
      await target.abort();
      throw thrown;
    }
  };
  return { restore, steps, rootPath };
}

test('files are in place before the rows are committed, and go again when these are refused', async () => {
  const { restore, steps, rootPath } = failing('refused', new HoldfastError('target.invalid'));
  await assert.rejects(restore(), { code: 'target.invalid' });
  assert.deepEqual(steps, ['plan', 'stage', 'place', 'commit, files are there', 'abort, files are there']);
  assert.equal(existsSync(rootPath), false);
});

test('files stay where rows may have been committed: their transaction had no answer, or what failed came after it', async () => {
  const unknown = [
    new HoldfastError('storage.unavailable'),
    new HoldfastError('target.invalid', { context: { number: -104 } }),
    new HoldfastError('target.invalid', { context: { number: 1064, isCommitted: true } }),
    new Error('of any kind'),
  ];
  for (const [index, error] of unknown.entries()) {
    const { restore, rootPath } = failing(`unknown-${index}`, error);
    await assert.rejects(restore());
    assert.equal(readFileSync(join(rootPath, 'a.txt'), 'utf8'), 'x');
  }
  assert.ok(readdirSync(folder).every((name) => !name.includes('partial')));
});
