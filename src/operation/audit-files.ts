import { tmpdir } from 'node:os';
import { systemClock } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import { Secret } from '../secret.ts';
import { engineOfUrl } from '../source/engines.ts';
import { auditFiles, type TreeAudit } from '../source/model/files/audit-files.ts';
import { filesOf } from '../source/model/files/model-files.ts';
import { joinModels } from '../source/model/join-models.ts';
import type { ModelSettings } from '../source/model/model-settings.ts';
import { openModelReader } from '../source/model/open-reader.ts';
import { withTemporaryFolder } from './temporary-folder.ts';

const defaultTimeoutMs = 60_000;

/** A database whose rows are compared with files. */
export interface AuditedDatabase {
  readonly name: string;
  readonly url: string;
  readonly models: ModelSettings;
  readonly timeoutMs?: number;
}

/** What was found of one database. */
export interface DatabaseAudit {
  readonly database: string;
  /** Folders and media storages that columns name; none where no column does. */
  readonly trees: readonly TreeAudit[];
}

/**
 * Compares the rows of databases with the files that they name: rows without files, and files without rows. Changes nothing. Throws `config.invalid`,
 * `source.not_found`, `source.unreadable`, `operation.interrupted`, and what media storages throw.
 */
export async function auditDatabases(
  databases: readonly AuditedDatabase[],
  options: { readonly temporaryFolder?: string; readonly signal?: AbortSignal } = {},
): Promise<DatabaseAudit[]> {
  const { temporaryFolder = tmpdir(), signal } = options;
  return await withTemporaryFolder({ parent: temporaryFolder, clock: systemClock }, async (folder) => {
    const audits: DatabaseAudit[] = [];
    for (const database of databases) {
      throwIfAborted(signal);
      audits.push({ database: database.name, trees: await auditOne(database, folder, signal) });
    }
    return audits;
  });
}

async function auditOne(
  { url, models: settings, timeoutMs = defaultTimeoutMs }: AuditedDatabase,
  temporaryFolder: string,
  signal: AbortSignal | undefined,
): Promise<TreeAudit[]> {
  // What no engine of models reads has no rows that name files.
  engineOfUrl(url);
  const reader = await openModelReader({ url: new Secret(url), timeoutMs, signal, connections: 1 });
  try {
    const { engine } = reader;
    const found = await reader.discover();
    const joined = await joinModels(found, { ...settings, engine, isAskedFor: () => true });
    const files = filesOf(settings, joined);
    return await auditFiles({ reader, models: joined.models, files, temporaryFolder, signal });
  } catch (error) {
    throw error instanceof HoldfastError ? error : reader.explain(error);
  } finally {
    await reader.close();
  }
}
