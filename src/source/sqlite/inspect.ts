import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { DatabaseContents } from './inspect-database.ts';

type Answer = { readonly contents: DatabaseContents } | { readonly code: number; readonly message: string };

/** A failure of SQLite that was met in another thread. */
class SqliteError extends Error {
  readonly errcode: number;

  constructor(message: string, errcode: number) {
    super(message);
    this.errcode = errcode;
  }
}

/**
 * Checks a database file that is not in use and counts its rows, in a thread of its own: it takes as long as reading the file.
 * When the signal is aborted, the promise fails at once; the thread ends when SQLite comes back.
 */
export async function inspectDatabase(path: string, signal?: AbortSignal): Promise<DatabaseContents> {
  throwIfAborted(signal);
  const script = new URL(`./inspect-worker${extname(import.meta.url)}`, import.meta.url);
  // The flags of the process may be such as a thread refuses.
  const worker = new Worker(script, { workerData: path, execArgv: [] });
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const onAbort = () => reject(new HoldfastError('operation.interrupted', { cause: signal?.reason }));
  signal?.addEventListener('abort', onAbort, { once: true });
  worker.once('message', resolve);
  worker.once('error', reject);
  worker.once('exit', () =>
    reject(new HoldfastError('operation.failed', { message: 'the thread that checks a database ended early' })),
  );
  try {
    const answer = await promise;
    if ('code' in answer) throw new SqliteError(answer.message, answer.code);
    return answer.contents;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    void worker.terminate();
  }
}
