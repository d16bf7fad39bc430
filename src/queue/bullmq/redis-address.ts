import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { HoldfastError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';

/** What a `redis://` or `rediss://` URL says, in the words of ioredis. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: ConnectionOptions;
}

const form = 'the form is redis://user:password@host:6379/0, or rediss:// with TLS';

function refuse(message: string): never {
  throw new HoldfastError('config.invalid', { message: `queue.url: ${message}`, hint: form });
}

/**
 * Reads the address of a Redis or Valkey. With `rediss://` the server's certificate is checked against the authorities of Node, or of
 * `caPath`. Throws `config.invalid`, which never shows the URL.
 */
export async function readRedisAddress(url: Secret, caPath?: string): Promise<RedisAddress> {
  let parsed: URL;
  try {
    parsed = new URL(url.reveal());
  } catch {
    return refuse('it is not a URL');
  }
  const { protocol, hostname, port, pathname, username, password } = parsed;
  if (protocol !== 'redis:' && protocol !== 'rediss:') return refuse(`it begins with ${protocol}, not with redis://`);
  const number = pathname.replace(/^\//, '') || '0';
  if (!/^\d{1,3}$/.test(number)) return refuse('the database is a number: redis://host/0');
  if (parsed.search !== '') return refuse('it takes no parameters');
  const tls = protocol === 'rediss:' ? { ...(caPath && { ca: await readAuthority(caPath) }) } : undefined;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1',
    port: Number(port || 6379),
    db: Number(number),
    ...(username === '' ? {} : { username: decode(username) }),
    ...(password === '' ? {} : { password: decode(password) }),
    ...(tls && { tls }),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return refuse('the percent-encoding of user or password is not valid (write % as %25)');
  }
}

async function readAuthority(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new HoldfastError('config.invalid', { message: `queue.caPath: ${path} cannot be read`, cause });
  }
}
