/** Passphrases and identities stand nowhere: not in errors, reports, progress or files. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import {
  addKeySlots,
  createBackup,
  FilesSource,
  inspectArchive,
  openArchive,
  restoreBackup,
  Secret,
  validateBackup,
} from '../../src/index.ts';
import { ageKeys, makeWorkspace } from './workspace.ts';

const workspace = makeWorkspace('secrets');
const canary = 'canary-7f3a passphrase';
const [{ identity, recipient }, { identity: otherIdentity }] = ageKeys;
/** An identity with a wrong checksum: what a parser complains about, it likes to quote. */
const brokenIdentity = `${identity.slice(0, -1)}Q`;
const needles = [canary, identity, otherIdentity, brokenIdentity, identity.slice(16, 40)];

/** All that a caller could print of a value. */
function renderings(value: unknown): string[] {
  const texts = [inspect(value, { depth: 20, showHidden: true }), JSON.stringify(value) ?? '', String(value)];
  for (let error = value; error instanceof Error; error = error.cause) {
    texts.push(error.message, error.stack ?? '', JSON.stringify({ ...error }));
  }
  return texts;
}

function assertSilent(value: unknown): void {
  for (const text of renderings(value)) {
    for (const needle of needles) assert.ok(!text.toLowerCase().includes(needle.toLowerCase()), text);
  }
}

function assertFilesSilent(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name);
    if (!statSync(path).isFile()) continue;
    const text = readFileSync(path, 'latin1');
    for (const needle of needles) assert.ok(!text.includes(needle), `${name} holds a secret`);
  }
}

test('no secret is printed or written by what succeeds or fails', async () => {
  const tree = join(workspace, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'file'), 'nothing secret');
  const archive = join(workspace, 'out.holdfast');
  const passphrases = [new Secret(canary)];
  const identities = [new Secret(identity)];
  const seen: unknown[] = [];
  const options = { threads: 1, onProgress: (progress: unknown) => seen.push(progress) };
  const sources = () => [new FilesSource({ path: tree })];
  const backup = { ...options, sources: sources(), output: archive, keys: { passphrases, recipients: [recipient] } };
  seen.push(backup, await createBackup(backup));
  seen.push(await validateBackup({ ...options, archive, keys: { passphrases } }));
  seen.push(await inspectArchive({ ...options, archive, keys: { identities } }));
  seen.push(await restoreBackup({ ...options, archive, keys: { identities }, filesTo: join(workspace, 'out') }));
  const opened = await openArchive({ ...options, archive, keys: { identities } });
  seen.push(opened);
  await opened.close();
  const failures = [
    validateBackup({ ...options, archive, keys: { passphrases: [new Secret(`${canary}!`)] } }),
    openArchive({ archive, keys: { identities: [new Secret(otherIdentity)] } }),
    openArchive({ archive, keys: { identities: [new Secret(brokenIdentity)] } }),
    openArchive({ archive, keys: { identities: [new Secret(canary)] } }),
    restoreBackup({ ...options, archive, keys: { passphrases }, filesTo: join(workspace, 'out') }),
    // A secret where a recipient belongs.
    ...[identity, identity.toLowerCase(), brokenIdentity, canary].map((given) =>
      createBackup({ ...options, sources: sources(), output: archive, keys: { recipients: [given] } }),
    ),
    addKeySlots({ archive, keys: { passphrases }, add: { recipients: [identity] } }),
  ];
  for (const result of await Promise.allSettled(failures)) {
    assert.ok(result.status === 'rejected');
    seen.push(result.reason);
  }
  for (const value of seen) assertSilent(value);
  assertFilesSilent(workspace);
  assert.throws(() => assertSilent(new Error('x', { cause: new Error(canary) })));
});
