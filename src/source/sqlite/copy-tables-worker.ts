/** The worker thread of `sqlite-tables-target.ts`: copies the tables that it is told, and answers once. */
import { rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { syncFolder } from '../../disk/sync-folder.ts';
import { copyTables, type TableCopy, TableCopyError } from './copy-tables.ts';
import { sqliteResultCode } from './sqlite-error.ts';
import { dressAs } from './stage-database.ts';

/** What the worker is given. */
export interface CopyRequest extends TableCopy {
  /** Where the database is kept as it was, and the name that it has until it is whole. */
  readonly undo?: { readonly path: string; readonly partial: string } | undefined;
}

/** What it answers. */
export type CopyAnswer =
  | { readonly done: true }
  | { readonly done: false; readonly message: string; readonly code?: TableCopyError['code'] | number | undefined };

const request = workerData as CopyRequest;

/** A second connection reads what the first one is about to change: its lock lets readers be. */
async function keep({ path, partial }: NonNullable<CopyRequest['undo']>): Promise<void> {
  using reader = new DatabaseSync(request.into, { readOnly: true, timeout: request.lockWaitMs });
  await backup(reader, partial, { rate: 2 ** 31 - 1 });
  await dressAs(partial, await stat(request.into));
  await rename(partial, path);
  await syncFolder(dirname(path));
}

function answer(value: CopyAnswer): void {
  parentPort?.postMessage(value);
}

try {
  await copyTables(request, async () => {
    if (request.undo !== undefined) await keep(request.undo);
  });
  answer({ done: true });
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  // An error loses its own properties on the way to another thread.
  answer({ done: false, message, code: error instanceof TableCopyError ? error.code : sqliteResultCode(error) });
}
