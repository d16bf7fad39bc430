import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { onPath } from '../durable-file.ts';
import type { StorageAdapter } from '../storage-adapter.ts';

const defaultTimeoutMs = 60_000;

const webdavSettings = z.strictObject({
  backend: z.literal('webdav'),
  /** The WebDAV address of the server, `https://host/path`; user and password may stand in it. */
  url: z.string().min(1),
  username: z.string().min(1).optional(),
  password: z.string().optional(),
  /** The folder below the URL's path; the URL's own unless set. */
  rootPath: z.string().optional(),
  /** A file of certificates (PEM) that are trusted besides those of the system. */
  ca: z.string().min(1).optional(),
  /** How long the server may be silent while it is its turn; 60,000 unless set. */
  timeoutMs: z.int().min(1000).optional(),
  /** Where further copies are kept, encrypted, until the first one is stored; the system's folder for temporary files unless set. */
  spoolFolder: z.string().min(1).optional(),
});

/** Files on a WebDAV server, such as Apache, Nextcloud, or a hosting provider's. */
export const webdavAdapter: StorageAdapter<typeof webdavSettings> = {
  backend: 'webdav',
  schema: webdavSettings,
  async open(settings, { folder }) {
    const { WebdavStorage } = await import('./webdav-storage.ts');
    const { ca, spoolFolder, rootPath = '' } = settings;
    const url = parseUrl(settings.url);
    const username = settings.username ?? decode(url.username);
    const password = new Secret(settings.password ?? decode(url.password));
    url.username = '';
    url.password = '';
    if (ca !== undefined && url.protocol !== 'https:') throw invalid('`ca` is of no use without https');
    const caPath = ca === undefined ? undefined : resolve(folder, ca);
    return new WebdavStorage({
      server: {
        url,
        credentials: username === '' ? undefined : { username, password },
        ca: caPath === undefined ? undefined : await onPath(caPath, () => readFile(caPath, 'utf8')),
        timeoutMs: settings.timeoutMs ?? defaultTimeoutMs,
      },
      rootPath,
      spoolFolder: spoolFolder === undefined ? undefined : resolve(folder, spoolFolder),
    });
  },
  placeOf({ url, rootPath = '' }) {
    const { host, pathname } = parseUrl(url);
    return { service: host, folder: `${decode(pathname)}/${rootPath}` };
  },
};

/** The error does not show the URL: the password may stand in it. */
function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw invalid('`url` of a WebDAV storage is like https://host/path, without query');
  }
  return url;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid('a `%` in user or password of `url` of a WebDAV storage has to be written as %25');
  }
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('config.invalid', { message });
}
