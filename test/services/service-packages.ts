/** What each server needs, and whether this machine has it. */
import { type ExtractedName, extractedProgram, extractedServers } from './extracted-server.ts';
import { findProgram } from './find-program.ts';
import { type UnpackedName, unpackedPackages, whyNotUnpacked } from './unpacked-packages.ts';

/** A server that tests start, or a program that they compare with. */
export type ServiceName = InstalledName | UnpackedName;

type InstalledName =
  | 'postgres'
  | 'mariadb'
  | 'redis'
  | 'rclone'
  | 'sshd'
  | 'gnupg'
  | 'curl'
  | 'zsh'
  | 'fish'
  | 'promtool'
  | 'chromium'
  | 'strace'
  | ExtractedName;

interface ServicePackages {
  readonly programs: readonly string[];
  /** Debian's. */
  readonly packages: readonly string[];
  /** Unpacked beside the project, not installed. */
  readonly extracted?: ExtractedName;
}

function extracted(name: ExtractedName): ServicePackages {
  return { programs: ['openssl', 'bash'], packages: ['openssl'], extracted: name };
}

const services: Readonly<Record<InstalledName, ServicePackages>> = {
  postgres: {
    programs: ['postgres', 'initdb', 'psql', 'pg_dump', 'pg_restore', 'openssl'],
    packages: ['postgresql-15', 'postgresql-client-15', 'openssl'],
  },
  mariadb: {
    programs: ['mariadbd', 'mariadb-install-db', 'mariadb', 'mariadb-dump', 'openssl'],
    packages: ['mariadb-server', 'mariadb-client', 'openssl'],
  },
  // No server, but a foreign client that judges a fake of one.
  rclone: { programs: ['rclone', 'openssl'], packages: ['rclone', 'openssl'] },
  gnupg: { programs: ['gpg', 'gpg-agent', 'xz', 'bzip2', 'zstd'], packages: ['gnupg', 'xz-utils', 'bzip2', 'zstd'] },
  curl: { programs: ['curl'], packages: ['curl'] },
  // Shells whose completion is tried.
  zsh: { programs: ['zsh'], packages: ['zsh'] },
  fish: { programs: ['fish'], packages: ['fish'] },
  // Checks metrics and alerts.
  promtool: { programs: ['promtool'], packages: ['prometheus'] },
  redis: { programs: ['redis-server', 'redis-cli'], packages: ['redis-server'] },
  // Tells what a program does to files.
  strace: { programs: ['strace'], packages: ['strace'] },
  // No server, but the browser that the web admin is looked at with.
  chromium: {
    programs: ['chromium-headless-shell'],
    packages: ['chromium-headless-shell', 'fonts-dejavu-core'],
  },
  vsftpd: extracted('vsftpd'),
  proftpd: extracted('proftpd'),
  apache: extracted('apache'),
  sshd: {
    programs: ['sshd', 'ssh', 'ssh-keygen', 'openssl'],
    packages: ['openssh-server', 'openssh-client', 'openssl'],
  },
};

function isUnpacked(name: ServiceName): name is UnpackedName {
  return name in unpackedPackages;
}

const names = Object.keys(services) as InstalledName[];

/** Programs that a server needs and this machine lacks. */
function missingPrograms(name: InstalledName): string[] {
  return services[name].programs.filter((program) => findProgram(program) === undefined);
}

/** Why a server that is unpacked is not there, or undefined. */
function whyNotExtracted(name: InstalledName): string | undefined {
  const server = services[name].extracted;
  if (server === undefined || extractedProgram(server) !== undefined) return undefined;
  return `tests with ${name} are left out: it could not be unpacked from ${extractedServers[server].packages.join(', ')}`;
}

/** Servers that are yet to be unpacked. */
export function missingExtracted(): ExtractedName[] {
  return names
    .map((name) => services[name].extracted)
    .filter((name) => name !== undefined && !extractedProgram(name)) as ExtractedName[];
}

/** Packages of all servers of which a program is missing. */
export function missingPackages(): string[] {
  const missing = names.filter((name) => missingPrograms(name).length > 0);
  return [...new Set(missing.flatMap((name) => services[name].packages))];
}

/** Why tests with a server cannot run here, or undefined when they can. */
export function whyMissing(name: ServiceName): string | undefined {
  if (isUnpacked(name)) return whyNotUnpacked(name);
  const programs = missingPrograms(name);
  if (programs.length === 0) return whyNotExtracted(name);
  return `tests with ${name} are left out: no ${programs.join(', ')}; install ${services[name].packages.join(' ')}`;
}

/** One line for each server that is missing. */
export function missingServices(): string[] {
  const all: ServiceName[] = [...names, ...(Object.keys(unpackedPackages) as UnpackedName[])];
  return all.map(whyMissing).filter((reason) => reason !== undefined);
}

/**
 * Whether to leave out tests with a server, as `node:test` takes it: `test('…', { skip: leftOut('postgres') }, …)`. Under CI it
 * throws instead: what nobody ran is not green.
 */
export function leftOut(name: ServiceName): string | false {
  const reason = whyMissing(name);
  if (reason !== undefined && process.env['CI'] === 'true') throw new Error(reason);
  return reason ?? false;
}

/** Ends a file of tests that all need a server which this machine lacks, and says why. Under CI it throws instead. */
export function leaveOutWithout(name: ServiceName): void {
  const reason = leftOut(name);
  if (reason === false) return;
  console.error(reason);
  process.exit(0);
}
