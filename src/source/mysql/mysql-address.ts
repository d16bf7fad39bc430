import { userInfo } from 'node:os';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { hasLateAt, lateAtMessage, shownParameter } from '../broken-url.ts';

const sslModes = ['DISABLED', 'PREFERRED', 'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'] as const;
const parameters = ['socket', 'charset', 'ssl-mode', 'ssl-ca', 'ssl-cert', 'ssl-key'] as const;
const defaultPort = 3306;

/** How a connection is encrypted, in the words of the server's own tools. */
export type SslMode = (typeof sslModes)[number];

/** What a `mysql://` or `mariadb://` URL says. */
export interface MysqlAddress {
  readonly scheme: 'mysql' | 'mariadb';
  readonly host: string;
  readonly port: number;
  /** Taken instead of host and port. */
  readonly socketPath?: string;
  readonly user: string;
  readonly password?: Secret;
  readonly database: string;
  readonly sslMode: SslMode;
  readonly sslCaPath?: string;
  readonly sslCertPath?: string;
  readonly sslKeyPath?: string;
  /** The URL without secrets. */
  readonly label: string;
}

const form = 'mysql://user:password@host:port/database, or mariadb://…';

/** Says what is wrong without the URL, which may hold a password. */
function refuse(message: string): never {
  throw new HoldfastError('usage.invalid', { message, hint: `the form is ${form}` });
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse(`the percent-encoding of the ${part} is not valid (write % as %25)`);
  }
}

/** Throws `usage.invalid`. Where the URL has no password, that of `MYSQL_PWD` is taken, as the server's own tools do. */
export function parseMysqlUrl(url: Secret): MysqlAddress {
  if (hasLateAt(url.reveal())) return refuse(lateAtMessage);
  let parsed: URL;
  try {
    parsed = new URL(url.reveal());
  } catch {
    return refuse('the URL of the database is not valid');
  }
  const scheme = parsed.protocol.slice(0, -1);
  if (scheme !== 'mysql' && scheme !== 'mariadb') return refuse(`${scheme}: is not a URL of MySQL or MariaDB`);
  const database = decode(parsed.pathname.replace(/^\//, ''), 'database');
  if (database === '') return refuse('the URL names no database');
  if (database.includes('\0')) return refuse('a name has no NUL character');
  const options = readParameters(parsed.searchParams);
  const user = parsed.username === '' ? userInfo().username : decode(parsed.username, 'user');
  const password = parsed.password === '' ? process.env['MYSQL_PWD'] : decode(parsed.password, 'password');
  const host = parsed.hostname === '' ? 'localhost' : decode(parsed.hostname, 'host').replace(/^\[(.*)\]$/, '$1');
  const port = parsed.port === '' ? defaultPort : Number(parsed.port);
  const place = options.socketPath === undefined ? `${parsed.hostname || 'localhost'}:${port}` : 'localhost';
  const socket = options.socketPath === undefined ? '' : `?socket=${options.socketPath}`;
  const label = `${scheme}://${encodeURIComponent(user)}@${place}/${encodeURIComponent(database)}${socket}`;
  const secret = password === undefined ? {} : { password: new Secret(password) };
  return { scheme, host, port, user, ...secret, database, label, ...options };
}

type AddressOptions = Pick<MysqlAddress, 'socketPath' | 'sslMode' | 'sslCaPath' | 'sslCertPath' | 'sslKeyPath'>;

function readParameters(given: URLSearchParams): AddressOptions {
  const isKnown = (name: string) => parameters.some((known) => known === name);
  const unknown = [...given.keys()].find((name) => !isKnown(name));
  if (unknown !== undefined) {
    return refuse(`the URL has ${shownParameter(unknown)}; known are ${parameters.join(', ')}`);
  }
  const charset = given.get('charset');
  if (charset !== null && charset !== 'utf8mb4') return refuse('charset is utf8mb4: no other one holds every text');
  const asked = given.get('ssl-mode')?.toUpperCase() ?? 'PREFERRED';
  const sslMode = sslModes.find((mode) => mode === asked);
  if (sslMode === undefined) return refuse(`ssl-mode is one of ${sslModes.join(', ')}`);
  const optional = (name: string, key: string) => {
    const value = given.get(name);
    return value === null || value === '' ? {} : { [key]: value };
  };
  if (sslMode === 'VERIFY_CA' && !given.get('ssl-ca')) {
    return refuse('ssl-mode=VERIFY_CA needs ssl-ca, the file of the authority');
  }
  return {
    sslMode,
    ...optional('socket', 'socketPath'),
    ...optional('ssl-ca', 'sslCaPath'),
    ...optional('ssl-cert', 'sslCertPath'),
    ...optional('ssl-key', 'sslKeyPath'),
  };
}

/** A text that two URLs of the same database share; without secrets. */
export function mysqlPlaceOf(url: string): string {
  const { host, port, socketPath, database } = parseMysqlUrl(new Secret(url));
  return `mysql:${socketPath ?? `${host}:${port}`}/${database}`;
}
