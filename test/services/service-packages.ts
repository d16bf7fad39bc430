/** What each server needs, and whether this machine has it. */
import { findProgram } from './find-program.ts';

/** A server that tests start, or a program that they compare with. */
export type ServiceName = 'postgres' | 'mariadb' | 'redis' | 'gnupg';

interface ServicePackages {
  readonly programs: readonly string[];
  /** Debian's. */
  readonly packages: readonly string[];
}

const services: Readonly<Record<ServiceName, ServicePackages>> = {
  postgres: {
    programs: ['postgres', 'initdb', 'psql', 'pg_dump', 'pg_restore', 'openssl'],
    packages: ['postgresql-15', 'postgresql-client-15', 'openssl'],
  },
  mariadb: {
    programs: ['mariadbd', 'mariadb-install-db', 'mariadb', 'mariadb-dump', 'openssl'],
    packages: ['mariadb-server', 'mariadb-client', 'openssl'],
  },
  gnupg: { programs: ['gpg', 'gpg-agent', 'xz', 'bzip2', 'zstd'], packages: ['gnupg', 'xz-utils', 'bzip2', 'zstd'] },
  redis: { programs: ['redis-server', 'redis-cli'], packages: ['redis-server'] },
};

const names = Object.keys(services) as ServiceName[];

/** Programs that a server needs and this machine lacks. */
function missingPrograms(name: ServiceName): string[] {
  return services[name].programs.filter((program) => findProgram(program) === undefined);
}

/** Packages of all servers of which a program is missing. */
export function missingPackages(): string[] {
  const missing = names.filter((name) => missingPrograms(name).length > 0);
  return [...new Set(missing.flatMap((name) => services[name].packages))];
}

/** Why tests with a server cannot run here, or undefined when they can. */
export function whyMissing(name: ServiceName): string | undefined {
  const programs = missingPrograms(name);
  if (programs.length === 0) return undefined;
  return `tests with ${name} are left out: no ${programs.join(', ')}; install ${services[name].packages.join(' ')}`;
}

/** One line for each server that is missing. */
export function missingServices(): string[] {
  return names.map(whyMissing).filter((reason) => reason !== undefined);
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
