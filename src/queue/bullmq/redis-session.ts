import type { Redis } from 'ioredis';
import { delay, timeoutSignal } from '../../clock.ts';
import { HoldfastError } from '../../errors.ts';
import type { RedisAddress } from './redis-address.ts';

/** The pause before a connection that was lost is tried again, by the number of the try: up to 5 seconds. */
const retryPauseMs = (tries: number) => Math.min(tries * 200, 5_000);
/** An end in good order is waited for so long. */
const closeWithinMs = 2_000;

/**
 * How the libraries connect: whoever waits for an answer sets a limit, and a connection is tried again until it is of no more use. Then
 * what still waits for it fails, and nothing keeps the process from ending.
 */
export function connectionOptions(address: RedisAddress, isOver: () => boolean) {
  return {
    ...address,
    connectTimeout: 10_000,
    keepAlive: 10_000,
    maxRetriesPerRequest: null,
    retryStrategy: (tries: number) => (isOver() ? null : retryPauseMs(tries)),
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

/** Waits for an end in good order, though not for long: where the server is away it does not come. */
export async function closeSoon(closing: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const closed = closing.then(
    () => done.abort(),
    // It was lost already.
    () => done.abort(),
  );
  await Promise.race([closed, delay(closeWithinMs, done.signal)]);
  done.abort();
}

/** A connection of our own, for what the library has no place for. */
export async function openRedis(address: RedisAddress, session: RedisSession): Promise<Redis> {
  const { Redis } = await loadLibrary(() => import('ioredis'));
  const redis = new Redis(connectionOptions(address, () => false));
  redis.on('error', session.hear);
  return redis;
}
