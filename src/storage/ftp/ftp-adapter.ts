import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { onPath } from '../durable-file.ts';
import type { StorageAdapter } from '../storage-adapter.ts';
import type { FtpServer } from './ftp-connection.ts';

const defaultPort = 21;
const defaultTimeoutMs = 30_000;

const ftpSettings = z.strictObject({
  backend: z.literal('ftp'),
  /** `ftp://user:password@host:port/folder`, all but the host optional; `ftps:` asks for TLS. Settings of their own go before it. */
  url: z.string().min(1).optional(),
  host: z.string().min(1).optional(),
  /** 21 unless set. */
  port: z.int().min(1).max(65_535).optional(),
  username: z.string().min(1).optional(),
  password: z.string().optional(),
  /** The folder on the server: absolute, or relative to the one after login, which it is unless set. */
  rootPath: z.string().optional(),
  /** Where the files are seen under another address, for people. */
  baseUrl: z.url().optional(),
  /** Explicit TLS for commands and data (`AUTH TLS`); false unless set, or the URL begins with `ftps:`. */
  secure: z.boolean().optional(),
  /** A file of certificates (PEM) that are trusted besides those of the system. */
  ca: z.string().min(1).optional(),
  /** How long the server may be silent while it is its turn; 30,000 unless set. */
  timeoutMs: z.int().min(1000).optional(),
  /** Where further copies are kept, encrypted, until the first one is stored; the system's folder for temporary files unless set. */
  spoolFolder: z.string().min(1).optional(),
});

type FtpSettings = z.output<typeof ftpSettings>;

/** Files on an FTP server, with or without TLS. */
export const ftpAdapter: StorageAdapter<typeof ftpSettings> = {
  backend: 'ftp',
  schema: ftpSettings,
  async open(settings, { folder }) {
    const { FtpStorage } = await import('./ftp-storage.ts');
    const url = parseUrl(settings.url);
    const { baseUrl, spoolFolder, rootPath = url.rootPath ?? '' } = settings;
    return new FtpStorage({
      server: await serverOf(settings, url, folder),
      rootPath,
      baseUrl,
      spoolFolder: spoolFolder === undefined ? undefined : resolve(folder, spoolFolder),
    });
  },
  placeOf(settings) {
    const url = parseUrl(settings.url);
    const { host = url.host ?? '', port = url.port ?? defaultPort, username = url.username ?? '' } = settings;
    const { rootPath = url.rootPath ?? '' } = settings;
    const home = rootPath.startsWith('/') ? '' : `${username}@`;
    return { service: `${home}${host.toLowerCase()}:${port}`, folder: rootPath };
  },
};

async function serverOf(settings: FtpSettings, url: UrlParts, folder: string): Promise<FtpServer> {
  const host = settings.host ?? url.host;
  if (host === undefined) throw invalid('an FTP storage needs `host`, or `url`');
  const username = settings.username ?? url.username;
  if (username === undefined) throw invalid('an FTP storage needs `username`, or a `url` with one');
  const { ca } = settings;
  const secure = settings.secure ?? url.secure ?? false;
  if (ca !== undefined && !secure) throw invalid('`ca` is of no use without `secure`');
  const caPath = ca === undefined ? undefined : resolve(folder, ca);
  return {
    host,
    port: settings.port ?? url.port ?? defaultPort,
    username,
    password: new Secret(settings.password ?? url.password ?? ''),
    secure,
    ca: caPath === undefined ? undefined : await onPath(caPath, () => readFile(caPath, 'utf8')),
    timeoutMs: settings.timeoutMs ?? defaultTimeoutMs,
  };
}

interface UrlParts {
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
  readonly rootPath?: string;
  readonly secure?: boolean;
}

/** The error does not show the URL: the password may stand in it. */
function parseUrl(text: string | undefined): UrlParts {
  if (text === undefined) return {};
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^ftps?:$/.test(url.protocol) || url.hostname === '') {
    throw invalid('`url` of an FTP storage is like ftp://user@host:21/folder or ftps://…');
  }
  const decode = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw invalid('a `%` in `url` of an FTP storage has to be written as %25');
    }
  };
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    ...(url.username === '' ? {} : { username: decode(url.username) }),
    ...(url.password === '' ? {} : { password: decode(url.password) }),
    // RFC 1738, 3.2.2: relative to the folder after login; `//` begins an absolute path.
    ...(url.pathname.length > 1 ? { rootPath: decode(url.pathname.slice(1)) } : {}),
    secure: url.protocol === 'ftps:',
  };
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('config.invalid', { message });
}
