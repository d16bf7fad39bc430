/** What a command that is crashed at every step begins with, and what must hold whatever stands on the disk afterwards. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { retentionPolicy } from '../../src/config/retention-settings.ts';
import { createBackup } from '../../src/operation/backup.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import { Secret } from '../../src/secret.ts';
import { FilesSource } from '../../src/source/files/files-source.ts';
import { LocalStorage } from '../../src/storage/local/local-storage.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { ageKeys } from '../end-to-end/age-keys.ts';

/** A command that is crashed. */
export interface Scenario {
  /** Makes what the command begins with. */
  prepare(folder: string): Promise<void>;
  /** What the command line is, behind `holdfast`. */
  readonly words: readonly string[];
  /**
   * Looks at what a crash left, recovers, and looks again; throws where a promise is broken. `isDone`: the command had ended well before.
   */
  check(folder: string, state: { readonly isDone: boolean }): Promise<void>;
}

export const run = { threads: 0 };
export const keys = { identities: [new Secret(ageKeys[0].identity)] };
export const retention = { keepDaily: 2, keepWeekly: 0, keepMonthly: 0 };
export const policy = retentionPolicy({ retention });
export const configuration = {
  files: ['tree'],
  storage: { near: { backend: 'local', path: 'near' }, far: { backend: 'local', path: 'far' } },
  retention,
  recipients: [ageKeys[0].recipient],
};

/** A tree of two files, of one version or another. */
export function writeTree(folder: string, version: number): void {
  mkdirSync(join(folder, 'b'), { recursive: true });
  const random = new SeededRandom(version);
  writeFileSync(join(folder, 'a'), random.bytes(3000));
  writeFileSync(join(folder, 'b/c'), random.bytes(9000));
}

/** What a tree holds, as text; without what is being written. */
export function treeAt(folder: string): string {
  if (!existsSync(folder)) return 'nothing';
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files
    .sort()
    .map((path) => `${path.slice(folder.length)} ${readFileSync(path, 'hex')}`)
    .join('\n');
}

export function storageAt(folder: string, label: string): LocalStorage {
  return new LocalStorage({ root: join(folder, label) });
}

export function storagesAt(folder: string) {
  return ['near', 'far'].map((name) => ({ name, storage: storageAt(folder, name) }));
}

export async function makeArchive(folder: string, output: string, version = 1): Promise<void> {
  writeTree(join(folder, 'tree'), version);
  const sources = [new FilesSource({ path: join(folder, 'tree') })];
  const sealed = { keys: { recipients: [ageKeys[0].recipient] }, temporaryFolder: join(folder, 'tmp') };
  await createBackup({ ...run, ...sealed, sources, output: join(folder, output) });
}

export async function prepareConfigured(folder: string): Promise<void> {
  for (const name of ['tmp', 'near', 'far']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'holdfast.config.json'), JSON.stringify(configuration));
  writeFileSync(join(folder, 'identity.txt'), ageKeys[0].identity);
  writeTree(join(folder, 'tree'), 1);
}

export function copyFile(folder: string, from: string, to: string): void {
  writeFileSync(join(folder, to), readFileSync(join(folder, from)));
}

/** The archives on a storage; each of them is whole and holds one version of the tree, or the check fails. */
export async function wholeArchives(folder: string, label: string): Promise<string[]> {
  const storage = storageAt(folder, label);
  const names: string[] = [];
  for await (const { name } of storage.list()) {
    if (!name.endsWith('.holdfast')) continue;
    names.push(name);
    await assertWhole(join(folder, label, name));
  }
  return names.sort();
}

export async function assertWhole(path: string): Promise<void> {
  const { state } = await validateBackup({ ...run, archive: path, keys });
  assert.equal(state, 'intact', `${path} is listed, and ${state}`);
}

/** What a writer or a run that died left behind, but for records of a catalogue: the next one of its chain removes them, and recoveries write none. */
export function leftovers(folder: string): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return paths.filter((path) => path.endsWith('.partial') && !path.includes('.holdfast-catalogue/'));
}
