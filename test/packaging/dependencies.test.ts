/** What is installed along: its licences, its scripts, and the bill that lists it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly integrity?: string;
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly name: string;
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly dependencies: Readonly<Record<string, string>>;
};
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const locked = Object.entries(lock.packages)
  .filter(([path]) => path !== '')
  .map(([path, found]) => ({ ...found, path, name: path.slice(path.lastIndexOf('node_modules/') + 13) }));

const permissive = new Set([
  'MIT',
  'MIT-0',
  'ISC',
  '0BSD',
  'BSD-0-Clause',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'Unlicense',
  '(MIT OR Apache-2.0)',
]);

/** Not permissive: each is used as it is published, from a package of its own, which its licence asks for. */
const exceptions: Readonly<Record<string, string>> = { openpgp: 'LGPL-3.0+' };

test('everything that is installed with the package has a permissive licence, or is an exception by name', () => {
  const wrong = locked
    .filter(({ dev }) => dev !== true)
    .map(({ name, path, license }) => ({ name, license: license ?? licenceOf(path) }))
    .filter(({ name, license }) => !permissive.has(license) && exceptions[name] !== license);
  assert.deepEqual(wrong, []);
  for (const name of Object.keys(exceptions))
    assert.ok(
      locked.some((one) => one.name === name),
      `${name} is gone`,
    );
});

/** Of packages whose manifest is older than the field. */
function licenceOf(path: string): string {
  try {
    const { licenses = [] } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as {
      licenses?: readonly { readonly type: string }[];
    };
    return licenses.map(({ type }) => type).join(' AND ');
  } catch {
    // An optional one that this machine has not installed: it is known by name.
    return path === 'node_modules/cpu-features' || path === 'node_modules/buildcheck' ? 'MIT' : '';
  }
}

test('no package runs a script when it is installed but those that are listed, and what is listed is there', () => {
  const scripted = locked.filter(({ hasInstallScript }) => hasInstallScript === true);
  assert.deepEqual([...new Set(scripted.map(({ name }) => name))].sort(), Object.keys(manifest.allowScripts).sort());
  const allowed = Object.entries(manifest.allowScripts).flatMap(([name, isAllowed]) => (isAllowed ? [name] : []));
  assert.deepEqual(allowed, ['node']);
  assert.equal(
    locked.find(({ name }) => name === 'node')?.dev,
    true,
    'whoever installs Holdfast runs no script at all',
  );
});

test('every package is locked to its bytes, wherever they come from', () => {
  const loose = locked.filter(({ integrity }) => integrity?.startsWith('sha512-') !== true);
  assert.deepEqual(
    loose.map(({ path }) => path),
    [],
  );
  for (const [name, version] of Object.entries(manifest.dependencies)) assert.match(version, /^\d/, `${name} is exact`);
});

test('a release has a bill of materials of all that is installed with it', (t) => {
  // Elsewhere, so that this folder stays as it is.
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-sbom-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'scripts'));
  for (const file of ['package.json', 'package-lock.json', 'scripts/sbom.ts'])
    cpSync(join(root, file), join(folder, file));
  execFileSync(process.execPath, [join(folder, 'scripts/sbom.ts')], { cwd: folder, stdio: 'pipe' });
  const bill = JSON.parse(readFileSync(join(folder, 'sbom.cdx.json'), 'utf8')) as {
    readonly bomFormat: string;
    readonly metadata: { readonly component: { readonly name: string } };
    readonly components: readonly {
      readonly name: string;
      readonly version: string;
      readonly hashes?: readonly object[];
    }[];
  };
  assert.deepEqual([bill.bomFormat, bill.metadata.component.name], ['CycloneDX', manifest.name]);
  const listed = new Map(bill.components.map((one) => [one.name, one]));
  for (const [name, version] of Object.entries(manifest.dependencies)) {
    assert.equal(listed.get(name)?.version, version, name);
    assert.ok((listed.get(name)?.hashes ?? []).length > 0, `${name} has its hash`);
  }
  const shipped = locked.filter(({ dev }) => dev !== true);
  assert.equal(bill.components.length, shipped.length, 'nothing that is installed along is left out');
  assert.equal(listed.has('typescript'), false, 'what only development needs is no part of it');
});
