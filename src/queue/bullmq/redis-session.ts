import type { Redis } from 'ioredis';
import { delay, timeoutSignal } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { RedisAddress } from './redis-address.ts';

/** The pause before a connection that was lost is tried again, by the number of the try: up to 5 seconds. */
const retryPauseMs = (tries: number) => Math.min(tries * 200, 5_000);
/** A connection that cannot be ended in good order within this is dropped. */
const closeWithinMs = 2_000;

/** How the libraries connect: they try again for ever, and whoever waits for an answer sets a limit. */
export function connectionOptions(address: RedisAddress) {
  return {
    ...address,
    connectTimeout: 10_000,
    keepAlive: 10_000,
    maxRetriesPerRequest: null,
    retryStrategy: retryPauseMs,
  };
}

/** Loads a library that is optional. Throws `tool.not_found`. */
export async function loadLibrary<Library>(load: () => Promise<Library>): Promise<Library> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new HoldfastError('tool.not_found', {
      message: 'the packages bullmq and ioredis, which the queue needs, are not installed',
      hint: 'npm install bullmq ioredis',
      cause,
    });
  }
}

/** What is known of the connections of a queue, and the limit of each wait for an answer. */
export class RedisSession {
  readonly #place: string;
  readonly #timeoutMs: number;
  #problem: string | undefined;

  /** `place` is for people, without secrets. */
  constructor(place: string, timeoutMs: number) {
    this.#place = place;
    this.#timeoutMs = timeoutMs;
  }

  /** Remembers what a connection says of itself: the answer that does not come says nothing. */
  readonly hear = (error: Error): void => {
    // Of the errors of a server the command is left out, which may be AUTH with the password.
    this.#problem = error.message === '' ? String((error as NodeJS.ErrnoException).code) : error.message;
  };

  /** Waits for an answer, for so long. Throws `queue.unavailable`. */
  async within<Value>(work: Promise<Value>): Promise<Value> {
    const limit = Promise.withResolvers<never>();
    const signal = timeoutSignal(this.#timeoutMs);
    const onLimit = () => limit.reject(this.#unavailable(this.#problem ?? 'it does not answer'));
    signal.addEventListener('abort', onLimit);
    work.catch(() => undefined);
    try {
      return await Promise.race([work, limit.promise]);
    } catch (error) {
      throw error instanceof HoldfastError
        ? error
        : this.#unavailable(error instanceof Error ? error.message : `${error}`);
    } finally {
      signal.removeEventListener('abort', onLimit);
    }
  }

  #unavailable(reason: string): HoldfastError {
    return new HoldfastError('queue.unavailable', {
      message: `the queue at ${this.#place}: ${reason}`,
      context: { server: this.#place },
    });
  }
}

/** Ends something in good order, or drops it where that takes too long. */
export async function closeSoon(close: () => Promise<unknown>, drop: () => unknown): Promise<void> {
  const done = new AbortController();
  const closing = close().then(
    () => done.abort(),
    () => undefined,
  );
  await Promise.race([closing, delay(closeWithinMs, done.signal)]);
  if (!done.signal.aborted) await drop();
  done.abort();
}

/** A connection of our own, for what the library has no place for. */
export async function openRedis(address: RedisAddress, session: RedisSession): Promise<Redis> {
  const { Redis } = await loadLibrary(() => import('ioredis'));
  const redis = new Redis(connectionOptions(address));
  redis.on('error', session.hear);
  return redis;
}
