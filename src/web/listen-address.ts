import { isIPv6 } from 'node:net';
import { HoldfastError } from '../errors.ts';

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

const loopback = '127.0.0.1';

/** Reads `HOST:PORT`, `[::1]:PORT` or `PORT`, which means the loopback. Throws `usage.invalid`. */
export function parseListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, digits = ''] = /^(?:(?:\[([^\]]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const isAddress = digits !== '' && port <= 65_535 && (bracketed === undefined || isIPv6(bracketed));
  if (isAddress) return { host: bracketed ?? plain ?? loopback, port };
  throw new HoldfastError('usage.invalid', {
    message: `${text} is no address to listen on`,
    hint: `HOST:PORT, such as ${loopback}:9464; a port alone is on this machine only`,
  });
}

/** The same as a text, as it stands in a URL. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
