/** The product's own reader on every vector: the state, the blocks, the error and each entry's bytes. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../src/errors.ts';
import { openArchive } from '../../src/operation/open.ts';
import type { ArchiveEntry, OpenKeys } from '../../src/operation/options.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import { Secret } from '../../src/secret.ts';
import type { expectation as expectationOf } from '../../vectors/generators/all.ts';

type Expectation = ReturnType<typeof expectationOf>;

const archives = join(import.meta.dirname, '../../vectors/archives');
const expectations = readdirSync(archives)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(archives, name), 'utf8')) as Expectation);

function codeOf(error: unknown): string {
  if (error instanceof HoldfastError) return error.code;
  throw error;
}

function keysOf({ passphrase, identity }: Expectation): OpenKeys {
  return {
    passphrases: passphrase === null ? [] : [new Secret(passphrase)],
    identities: identity === null ? [] : [new Secret(identity)],
  };
}

async function checkState(expectation: Expectation, archive: string): Promise<void> {
  const keys = keysOf(expectation);
  let state: string;
  try {
    const report = await validateBackup({ archive, keys, threads: 1 });
    state = report.state;
    const { damaged, solved, lost } = report.blocks;
    if (expectation.blocks !== null) assert.deepEqual({ damaged, solved, lost }, expectation.blocks);
    if (state === 'lost') assert.deepEqual([...report.lostEntries].sort(), [...expectation.lostEntries].sort());
  } catch (error) {
    state = codeOf(error);
  }
  assert.equal(state, expectation.verifyState);
}

/** Reads all entries that can be had; the first error is what a restore of all would end with. */
async function readAll(
  expectation: Expectation,
  archive: string,
): Promise<{ outcome: string; hashes: Map<string, string> }> {
  const hashes = new Map<string, string>();
  let outcome = 'ok';
  try {
    await using opened = await openArchive({ archive, keys: keysOf(expectation), threads: 0 });
    const entries: ArchiveEntry[] = [];
    for await (const entry of opened.entries()) entries.push(entry);
    for (const entry of entries) {
      const hash = createHash('sha256');
      try {
        for await (const chunk of opened.read(entry)) hash.update(chunk);
        hashes.set(entry.path, hash.digest('hex'));
      } catch (error) {
        if (outcome === 'ok') outcome = codeOf(error);
      }
    }
  } catch (error) {
    outcome = codeOf(error);
  }
  return { outcome, hashes };
}

async function checkVector(expectation: Expectation): Promise<void> {
  const archive = join(archives, `${expectation.name}.holdfast`);
  await checkState(expectation, archive);
  const { outcome, hashes } = await readAll(expectation, archive);
  // Paths are the affair of the target, not of the reader.
  if (expectation.expect !== 'target.unsafe') assert.equal(outcome, expectation.expect);
  for (const entry of expectation.entries) assert.equal(hashes.get(entry.path), entry.sha256, entry.path);
}

describe('the reader on the vectors', { concurrency: 2 }, () => {
  for (const expectation of expectations) {
    it(`${expectation.name}: ${expectation.expect}`, () => checkVector(expectation));
  }
});
