import { resolve } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import type { StorageAdapter } from '../storage-adapter.ts';

const dropboxSettings = z.strictObject({
  backend: z.literal('dropbox'),
  /** With `appKey`; lives until it is revoked. */
  refreshToken: z.string().min(1).optional(),
  appKey: z.string().min(1).optional(),
  /** Not for a refresh token that was made by PKCE. */
  appSecret: z.string().min(1).optional(),
  /** Instead of `refreshToken`: lives four hours, for a try. */
  accessToken: z.string().min(1).optional(),
  /** The folder, made when something is written: the app's own, or the whole Dropbox, unless set. */
  rootPath: z.string().optional(),
  /** Where a further copy is kept until the first one is stored, encrypted: the system's folder for temporary files unless set. */
  spoolFolder: z.string().min(1).optional(),
  /** Limit of one request: 120,000 unless set. */
  timeoutMs: z.int().min(100).optional(),
});

type DropboxSettings = z.output<typeof dropboxSettings>;

/** How an account is reached. */
export type DropboxAccess =
  | { readonly accessToken: Secret }
  | { readonly refreshToken: Secret; readonly appKey: string; readonly appSecret: Secret | undefined };

function accessOf({ refreshToken, appKey, appSecret, accessToken }: DropboxSettings): DropboxAccess {
  const refuse = (message: string, hint: string) => new HoldfastError('config.invalid', { message, hint });
  if (accessToken !== undefined) {
    const others = refreshToken ?? appKey ?? appSecret;
    if (others === undefined) return { accessToken: new Secret(accessToken) };
    throw refuse('dropbox: there is more than one way to sign in', 'leave out `accessToken`');
  }
  const hint = 'give `refreshToken` with `appKey` (and `appSecret`), or `accessToken`';
  if (refreshToken === undefined) throw refuse('dropbox: nothing says how to sign in', hint);
  if (appKey === undefined) throw refuse('dropbox: `appKey` is missing', hint);
  return {
    refreshToken: new Secret(refreshToken),
    appKey,
    appSecret: appSecret === undefined ? undefined : new Secret(appSecret),
  };
}

/** A folder of a Dropbox. */
export const dropboxAdapter: StorageAdapter<typeof dropboxSettings> = {
  backend: 'dropbox',
  schema: dropboxSettings,
  async open(settings, { folder, clock, random, wait }) {
    const access = accessOf(settings);
    const { DropboxStorage } = await import('./dropbox-storage.ts');
    const { rootPath, spoolFolder, timeoutMs } = settings;
    const spool = spoolFolder === undefined ? undefined : { folder: resolve(folder, spoolFolder) };
    return new DropboxStorage({ access, rootPath, spool, timeoutMs, clock, random, wait });
  },
  placeOf: ({ refreshToken, accessToken, rootPath = '' }) => ({
    service: refreshToken ?? accessToken ?? '',
    folder: rootPath,
  }),
};
