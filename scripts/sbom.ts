/**
 * Writes `sbom.cdx.json`, the software bill of materials of a release: CycloneDX 1.5 of all that is installed with the package, from the lock file and
 * without a network. `npm pack` and `npm publish` call it. (`npm sbom --omit dev` leaves out what development needs as well.)
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Package {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const { name, version, license } = read('package.json') as { name: string; version: string; license: string };
const { packages } = read('package-lock.json') as { packages: Readonly<Record<string, Package>> };

const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
const purl = (of: string, at: string) => `pkg:npm/${of.replace('@', '%40')}@${at}`;

/** As Node looks for it: beside who needs it, then in the folders above. */
function resolved(from: string, needed: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const path = folder === '' ? `node_modules/${needed}` : `${folder}/node_modules/${needed}`;
    if (packages[path] !== undefined) return path;
    if (folder === '') return undefined;
  }
}

/** Of packages whose manifest is older than the field `license`, where they are installed. */
function oldLicence(path: string): string | undefined {
  const file = join(root, path, 'package.json');
  if (!existsSync(file)) return undefined;
  const { licenses } = JSON.parse(readFileSync(file, 'utf8')) as { licenses?: readonly { readonly type: string }[] };
  return licenses?.[0]?.type;
}

function component(path: string, found: Package): object {
  const licence = found.license ?? oldLicence(path);
  const [, digest = ''] = /^sha512-(.+)$/.exec(found.integrity ?? '') ?? [];
  return {
    type: 'library',
    'bom-ref': path,
    name: nameOf(path),
    version: found.version,
    scope: found.optional === true ? 'optional' : 'required',
    purl: purl(nameOf(path), found.version),
    hashes: [{ alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }],
    ...(licence === undefined
      ? {}
      : { licenses: [licence.startsWith('(') ? { expression: licence } : { license: { name: licence } }] }),
  };
}

const shipped = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
const needs = (path: string, { dependencies = {}, optionalDependencies = {} }: Package) => ({
  ref: path === '' ? name : path,
  dependsOn: Object.keys({ ...dependencies, ...optionalDependencies }).flatMap((one) => resolved(path, one) ?? []),
});
const main = {
  type: 'application',
  'bom-ref': name,
  name,
  version,
  purl: purl(name, version),
  licenses: [{ license: { id: license } }],
};
const bill = {
  $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: { component: main },
  components: shipped.map(([path, found]) => component(path, found)),
  dependencies: [needs('', packages[''] ?? { version }), ...shipped.map(([path, found]) => needs(path, found))],
};
writeFileSync(join(root, 'sbom.cdx.json'), `${JSON.stringify(bill, null, 2)}\n`);
console.log(`sbom.cdx.json: ${bill.components.length} packages`);
