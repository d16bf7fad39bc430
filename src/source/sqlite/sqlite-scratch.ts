import { fork } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { timeoutSignal } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { systemRandom } from '../../random.ts';
import { Secret } from '../../secret.ts';
import { newScratchId, type QueryOptions, type Scratch, type ScratchOptions, scratchName } from '../scratch.ts';
import { sidecars } from './swap-database.ts';

/** A file in the folder of the drill. */
export async function openSqliteScratch({ folder, random = systemRandom }: ScratchOptions): Promise<Scratch> {
  const path = join(folder, `${scratchName(newScratchId(random))}.sqlite`);
  return {
    url: new Secret(`sqlite:${encodeURIComponent(path)}`),
    label: path,
    create: async () => undefined,
    query: async (sql, query) => await queryFile(path, sql, query),
    drop: async () => {
      for (const suffix of ['', ...sidecars]) await rm(`${path}${suffix}`, { force: true });
    },
  };
}

type Answer = { readonly rows: readonly (readonly unknown[])[] } | { readonly message: string };

/** In a process of its own: SQLite does not look up while it works, and a thread of it cannot be ended. */
async function queryFile(
  path: string,
  sql: string,
  { timeoutMs, signal }: QueryOptions,
): Promise<readonly (readonly unknown[])[]> {
  throwIfAborted(signal);
  const script = fileURLToPath(new URL(`./query-child${extname(import.meta.url)}`, import.meta.url));
  const child = fork(script, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] });
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const limit = timeoutSignal(timeoutMs);
  const stop = AbortSignal.any(signal === undefined ? [limit] : [limit, signal]);
  const failed = (message: string, cause?: unknown) =>
    new HoldfastError('target.invalid', { message: `${path}: ${message}`, cause });
  const onStop = () => {
    if (signal?.aborted) reject(new HoldfastError('operation.interrupted', { cause: signal.reason }));
    else reject(failed(`no answer within ${timeoutMs / 1000} s`));
  };
  stop.addEventListener('abort', onStop, { once: true });
  child.once('message', (answer) => resolve(answer as Answer));
  child.once('error', (cause) => reject(failed('the process of a check could not be started', cause)));
  child.once('exit', () => reject(failed('the process of a check ended early')));
  try {
    child.send({ path, sql });
    const answer = await promise;
    if ('message' in answer) throw failed(answer.message);
    return answer.rows;
  } finally {
    stop.removeEventListener('abort', onStop);
    child.kill('SIGKILL');
  }
}
