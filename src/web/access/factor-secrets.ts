import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sql } from 'kysely';
import { historyPath } from '../../cli/record.ts';
import type { LoadedConfig } from '../../config/load-config.ts';
import { isSystemError } from '../../disk/system-error.ts';
import { HoldfastError } from '../../errors.ts';
import { Users } from '../../history/access/users.ts';
import type { History } from '../../history/history.ts';
import type { Random } from '../../random.ts';
import { Secret } from '../../secret.ts';
import { syncFolder } from '../../storage/durable-file.ts';
import type { AccessStore } from './access-store.ts';
import { FactorSeal } from './factor-seal.ts';

const leastLength = 32;
const factorColumns = ['totp_secret', 'totp_pending'] as const;

/** The key file: beside a history of SQLite. One of PostgreSQL is shared by machines, and so has to be the secret. */
export function factorKeyPath(loaded: LoadedConfig): string | undefined {
  const path = historyPath(loaded);
  return path === undefined ? undefined : join(dirname(path), 'web.key');
}

/** What {@link openFactorSeal} takes. */
export interface FactorSealOptions {
  readonly loaded: LoadedConfig;
  readonly history: Pick<History, 'database'>;
  readonly random: Random;
  readonly log: (text: string) => void;
}

/**
 * What second factors are sealed with: `web.secret` of the configuration, and the key file. It is made where neither is there, unless
 * something is sealed already: then the key is missed, and another would hide that. Throws `config.invalid` where the file is no key file.
 */
export async function openFactorSeal({ loaded, history, random, log }: FactorSealOptions): Promise<FactorSeal> {
  const configured = [loaded.config.web?.secret ?? []].flat().map((text) => new Secret(text));
  const path = factorKeyPath(loaded);
  const inFile = path === undefined ? [] : await readKeyFile(path, log);
  if (configured.length + inFile.length > 0 || path === undefined || (await hasSealed(history))) {
    return new FactorSeal([...configured, ...inFile], random);
  }
  await makeKeyFile(path, random);
  // Of two that start at once one makes it, and both read it.
  return new FactorSeal(await readKeyFile(path, log), random);
}

async function hasSealed({ database }: Pick<History, 'database'>): Promise<boolean> {
  const users = await new Users(database).list();
  return users.some((user) =>
    factorColumns.some((column) => user[column] !== null && FactorSeal.isSealed(user[column])),
  );
}

async function readKeyFile(path: string, log: (text: string) => void): Promise<Secret[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
    if (((await stat(path)).mode & 0o077) !== 0) log(`${path} can be read by others: chmod 600 it`);
  } catch (cause) {
    if (isSystemError(cause) && cause.code === 'ENOENT') return [];
    throw new HoldfastError('config.invalid', { message: `the key file ${path} cannot be read: ${cause}`, cause });
  }
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length > 0 && keys.every((key) => key.length >= leastLength)) return keys.map((key) => new Secret(key));
  throw new HoldfastError('config.invalid', {
    message: `${path} holds no key, or a short one`,
    hint: 'bring it back from a backup; without it second factors have to be set up anew, after the file was moved away',
  });
}

/** It appears with all that is in it, or not at all. */
async function makeKeyFile(path: string, random: Random): Promise<void> {
  const partial = `${path}.${Buffer.from(random.bytes(6)).toString('hex')}`;
  const key = Buffer.from(random.bytes(32)).toString('base64');
  const file = await open(partial, 'wx', 0o600);
  try {
    await file.writeFile(
      `# Second factors of the web admin are sealed with this key: without it they have to be set up anew.\n${key}\n`,
    );
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(partial, path);
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'EEXIST') throw error;
  } finally {
    await rm(partial, { force: true });
  }
  await syncFolder(dirname(path));
}

/** Seals what still lies open, or was sealed with a key that is no longer the first. Rows that no key opens stay as they are. */
export async function sealFactors(
  store: AccessStore,
  history: History,
  given: { readonly isFile: boolean; readonly log: (text: string) => void },
): Promise<void> {
  const { factors, users } = store;
  const { isFile, log } = given;
  let wasOpen = false;
  let locked = 0;
  let open = 0;
  for (const user of await users.list()) {
    for (const column of factorColumns) {
      const text = user[column];
      if (text === null || factors.isCurrent(text)) continue;
      if (!factors.canSeal && !FactorSeal.isSealed(text)) {
        open++;
        continue;
      }
      try {
        // Only what is still there as it was read: its user may change it meanwhile.
        const changed = await users.replaceFactor(
          user.name,
          column,
          text,
          factors.seal(user.name, factors.open(user.name, text)),
        );
        wasOpen ||= changed && !FactorSeal.isSealed(text);
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== 'access.factor_locked') throw error;
        locked++;
      }
    }
  }
  if (locked > 0) log(`${locked} second factors cannot be opened: their key is not here`);
  if (open > 0) log(`${open} second factors lie open in the history: set web.secret, the same on every machine`);
  if (wasOpen && isFile) await forgetFreePages(history, log);
}

/** A database keeps what was overwritten in pages that are free, and in its log. */
async function forgetFreePages({ database }: History, log: (text: string) => void): Promise<void> {
  try {
    await sql`VACUUM`.execute(database);
    await sql`PRAGMA wal_checkpoint(TRUNCATE)`.execute(database);
  } catch (error) {
    log(
      `the history holds remains of second factors until it is vacuumed: ${error instanceof Error ? error.message : error}`,
    );
  }
}
