import { timeoutSignal } from '../../clock.ts';

/**
 * Waits for what may take long as long as the server is there: each time the limit has passed, it is asked. `probe` throws where it does not answer.
 */
export async function waitPatiently<Result>(
  work: Promise<Result>,
  options: { readonly timeoutMs: number; readonly probe: () => Promise<void> },
): Promise<Result> {
  for (;;) {
    const limit = timeoutSignal(options.timeoutMs);
    const { promise: late, resolve } = Promise.withResolvers<typeof isLate>();
    const onLimit = () => resolve(isLate);
    limit.addEventListener('abort', onLimit);
    try {
      const first = await Promise.race([work, late]);
      if (first !== isLate) return first;
    } finally {
      limit.removeEventListener('abort', onLimit);
    }
    await options.probe();
  }
}

const isLate = Symbol('late');
