import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { hasLateAt, lateAtMessage, shownParameter } from '../broken-url.ts';

const sslModes = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const parameters = ['host', 'port', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'] as const;
const defaultPort = 5432;
const noHost = '-';
/** Where Debian's servers have their sockets. */
const defaultSocketFolder = '/var/run/postgresql';

/** How a connection is encrypted, in the words of the server's own tools. */
export type SslMode = (typeof sslModes)[number];

/** What a `postgres://` URL says. */
export interface PostgresAddress {
  /** A name, an address, or the folder of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Absent where neither the URL nor PGPASSWORD has one: then that of the password file is taken. */
  readonly password?: Secret;
  readonly database: string;
  readonly sslMode: SslMode;
  readonly sslRootCertPath?: string;
  readonly sslCertPath?: string;
  readonly sslKeyPath?: string;
  /** The URL without secrets. */
  readonly label: string;
}

/** Says what is wrong without the URL, which may hold a password. */
function refuse(message: string): never {
  throw new HoldfastError('usage.invalid', {
    message,
    hint: 'the form is postgres://user:password@host:port/database, or postgres:///database?host=/run/postgresql',
  });
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse(`the percent-encoding of the ${part} is not valid (write % as %25)`);
  }
}

/** Throws `usage.invalid`. Where the URL has no password, that of `PGPASSWORD` is taken, as the server's own tools do. */
export function parsePostgresUrl(url: Secret): PostgresAddress {
  if (hasLateAt(url.reveal())) return refuse(lateAtMessage);
  let parsed: URL;
  try {
    // A URL with a user needs a host; the server's own tools take one without.
    parsed = new URL(url.reveal().replace(/^([a-z]+:\/\/[^/@?#]*@)(?=[/:?])/i, `$1${noHost}`));
  } catch {
    return refuse('the URL of the database is not valid');
  }
  if (!/^postgres(ql)?:$/.test(parsed.protocol)) return refuse(`${parsed.protocol} is not a URL of PostgreSQL`);
  const database = decode(parsed.pathname.replace(/^\//, ''), 'database');
  if (database === '') return refuse('the URL names no database');
  const given = parsed.searchParams;
  const unknown = [...given.keys()].find((name) => !parameters.some((known) => known === name));
  if (unknown !== undefined) {
    return refuse(`the URL has ${shownParameter(unknown)}; known are ${parameters.join(', ')}`);
  }
  const host = readHost(parsed);
  const port = Number(parsed.port || given.get('port') || defaultPort);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return refuse('the port is not valid');
  const user = parsed.username === '' ? userInfo().username : decode(parsed.username, 'user');
  if ([host, user, database].some((part) => part.includes('\0'))) return refuse('a name has no NUL character');
  const password = parsed.password === '' ? process.env['PGPASSWORD'] : decode(parsed.password, 'password');
  const place = host.startsWith('/') ? '' : `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const socket = host.startsWith('/') ? `?host=${host}${port === defaultPort ? '' : `&port=${port}`}` : '';
  const label = `postgres://${encodeURIComponent(user)}@${place}/${encodeURIComponent(database)}${socket}`;
  const secret = password === undefined ? {} : { password: new Secret(password) };
  return { host, port, user, ...secret, database, label, ...readSsl(given, host) };
}

function readHost(parsed: URL): string {
  const host = parsed.searchParams.get('host') ?? decode(parsed.hostname, 'host').replace(/^\[(.*)\]$/, '$1');
  if (host !== '' && host !== noHost) return host;
  return existsSync(defaultSocketFolder) ? defaultSocketFolder : 'localhost';
}

type SslOptions = Pick<PostgresAddress, 'sslMode' | 'sslRootCertPath' | 'sslCertPath' | 'sslKeyPath'>;

function readSsl(given: URLSearchParams, host: string): SslOptions {
  const asked = host.startsWith('/') ? 'disable' : (given.get('sslmode') ?? 'prefer');
  const found = sslModes.find((mode) => mode === asked);
  if (found === undefined) return refuse(`sslmode is one of ${sslModes.join(', ')}`);
  const optional = (name: string, key: string) => {
    const value = given.get(name);
    return value === null || value === '' ? {} : { [key]: value };
  };
  // As the server's own library: an authority that was named is asked.
  const sslMode = found === 'require' && given.get('sslrootcert') ? 'verify-ca' : found;
  return {
    sslMode,
    ...optional('sslrootcert', 'sslRootCertPath'),
    ...optional('sslcert', 'sslCertPath'),
    ...optional('sslkey', 'sslKeyPath'),
  };
}

/** A text that two URLs of the same database share; without secrets. */
export function postgresPlaceOf(url: string): string {
  const { host, port, database } = parsePostgresUrl(new Secret(url));
  return `postgres:${host}:${port}/${database}`;
}

/** How the server's own tools connect: by environment, since everybody can see arguments. */
export function toolVariables(address: PostgresAddress, database = address.database): Record<string, string | Secret> {
  const { host, port, user, password, sslMode, sslRootCertPath, sslCertPath, sslKeyPath } = address;
  const passwordFile = process.env['PGPASSFILE'];
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: database,
    PGAPPNAME: 'holdfast',
    PGSSLMODE: sslMode,
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    ...(passwordFile === undefined ? {} : { PGPASSFILE: passwordFile }),
    ...(sslRootCertPath === undefined ? {} : { PGSSLROOTCERT: sslRootCertPath }),
    ...(sslCertPath === undefined ? {} : { PGSSLCERT: sslCertPath }),
    ...(sslKeyPath === undefined ? {} : { PGSSLKEY: sslKeyPath }),
  };
}
