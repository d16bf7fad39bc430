/** Servers that are not installed but unpacked, each release of Debian below a folder of its own: two versions stand side by side. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from './find-program.ts';

/** A server that is unpacked for the tests. */
export type UnpackedName = 'rgw16' | 'rgw20';

interface UnpackedPackages {
  /** The release of Debian that has the version. */
  readonly suite: string;
  readonly packages: readonly string[];
}

export const unpackedPackages: Readonly<Record<UnpackedName, UnpackedPackages>> = {
  // Ceph 16.2: an older server, without checksums of the SDK and without conditions on multipart uploads.
  rgw16: { suite: 'bookworm', packages: ['radosgw', 'ceph-mon', 'ceph-osd'] },
  // Ceph 20.2: the strict one.
  rgw20: { suite: 'forky', packages: ['radosgw', 'ceph-mon', 'ceph-osd'] },
};

const script = fileURLToPath(new URL('unpack-packages.sh', import.meta.url));

/** Outside of the project, so that neither `npm ci` nor a new clone fetches it again; where root unpacks, servers of other users read. */
export function cacheFolder(): string {
  if (process.getuid?.() === 0) return '/var/cache/holdfast-tests';
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'holdfast-tests');
}

/** Where the packages of a server are unpacked, as if it were `/`. */
export function unpackedFolder(name: UnpackedName): string {
  return join(cacheFolder(), `${name}-${unpackedPackages[name].suite}`);
}

/** Why tests with the server cannot run here, or undefined when they can. */
export function whyNotUnpacked(name: UnpackedName): string | undefined {
  const folder = unpackedFolder(name);
  if (existsSync(folder)) return undefined;
  const { suite, packages } = unpackedPackages[name];
  return `tests with ${name} are left out: there is no ${folder}; make it with ${script} ${folder} ${suite} ${packages.join(' ')}`;
}

/** Unpacks what is missing, where that is possible: on Debian, as anybody. */
export function unpackMissing(): void {
  const missing = (Object.keys(unpackedPackages) as UnpackedName[]).filter((name) => whyNotUnpacked(name));
  if (missing.length === 0 || !['apt-get', 'dpkg-deb', 'flock'].every(findProgram)) return;
  for (const name of missing) {
    const { suite, packages } = unpackedPackages[name];
    console.error(`unpacking ${packages.join(' ')} of ${suite} for the tests`);
    const run = spawnSync(script, [unpackedFolder(name), suite, ...packages], {
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
    const { status, error, stdout, stderr } = run;
    // The tests that need it say so themselves.
    if (status !== 0) console.error(`${stdout}${stderr}\nthey were not unpacked: ${error ?? `exit ${status}`}`);
  }
}

/** The command that runs an unpacked program: through the loader and with the libraries that came with it. */
export function unpackedCommand(folder: string, program: string): readonly string[] {
  const libraries = ['usr/lib', 'lib'].map((place) => join(folder, place, libraryTriplet()));
  const loader = libraries.map((place) => join(place, loaderName())).find((path) => existsSync(path));
  if (loader === undefined) throw new Error(`${folder} has no loader`);
  const path = [...libraries, ...libraries.map((place) => join(place, 'ceph'))].join(':');
  return [loader, '--library-path', path, join(folder, 'usr/bin', program)];
}

/** The folder in an unpacked release that holds a package's libraries. */
export function unpackedLibraries(folder: string): string {
  return join(folder, 'usr/lib', libraryTriplet());
}

function libraryTriplet(): string {
  return process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
}

function loaderName(): string {
  return process.arch === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2';
}
