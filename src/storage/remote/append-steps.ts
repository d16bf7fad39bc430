import { HoldfastError } from '../../errors.ts';
import type { RandomAccess, StoredObject } from '../storage.ts';
import type { AppendWriter } from '../wrap/spool.ts';

/** Reads back what was stored; throws when it is not what was written. */
export type Check = (stored: RandomAccess) => Promise<void>;

/** How an adapter writes one object; {@link appendWriter} sees to order and interruption. */
export interface AppendSteps {
  append(bytes: Uint8Array): Promise<void>;
  commit(check: Check | undefined): Promise<StoredObject>;
  /** Leaves nothing of the object. Called when no other step runs, more than once where it failed. */
  discard(): Promise<void>;
}

/** Makes an {@link AppendWriter} of steps, whose requests are to end when `signal` is aborted. */
export function appendWriter(makeSteps: (signal: AbortSignal) => AppendSteps): AppendWriter {
  const stop = new AbortController();
  const steps = makeSteps(stop.signal);
  let running: Promise<unknown> = Promise.resolve();
  let isCommitted = false;
  const run = async <Result>(step: () => Promise<Result>): Promise<Result> => {
    if (stop.signal.aborted) throw new HoldfastError('operation.interrupted');
    const started = step();
    running = started;
    return await started;
  };
  return {
    append: (bytes) => run(() => steps.append(bytes)),
    commit: (check) =>
      run(async () => {
        const stored = await steps.commit(check);
        isCommitted = true;
        return stored;
      }),
    async abort() {
      stop.abort();
      await Promise.allSettled([running]);
      if (!isCommitted) await steps.discard();
    },
  };
}
