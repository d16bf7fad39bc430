import { type Clock, systemClock, systemWait, timeoutSignal, type Wait } from '../../clock.ts';
import { type ErrorCode, HoldfastError, throwIfAborted } from '../../errors.ts';
import { type Random, systemRandom } from '../../random.ts';
import { networkErrorFrom } from './network-error.ts';

/** How long and how often one request is tried. */
export interface AttemptOptions {
  /** The host, for people. */
  readonly place: string;
  /** For one try, its body included: 120,000 unless set. A request carries 8 MiB unless an archive is very large. */
  readonly timeoutMs?: number | undefined;
  /** Tries in all: 6 unless set. */
  readonly tries?: number | undefined;
  /** The pause before the second try, which doubles each time: 500 unless set. */
  readonly firstDelayMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly wait?: Wait | undefined;
  readonly random?: Random | undefined;
}

/** Sends one request. `tryNumber` counts from 1: a later one may find that an earlier one arrived. */
export type Send<Result> = (signal: AbortSignal, tryNumber: number) => Promise<Result>;

/** What may be gone a moment later. */
const passing: ReadonlySet<ErrorCode> = new Set(['storage.unavailable', 'storage.timeout', 'storage.throttled']);
const longestDelayMs = 30_000;
/** A server that asks for more is not waited for: the run fails, and says so. */
const longestAskedMs = 5 * 60_000;

/**
 * Sends requests, each with a time limit, and repeats those that fail for a moment, with pauses that double and have some chance in
 * them, or are as long as the server asks (`context.retryAfterMs`). Only for requests that may be repeated.
 */
export class Attempts {
  readonly #options: AttemptOptions;

  constructor(options: AttemptOptions) {
    this.#options = options;
  }

  /** Throws what the last try threw, or `operation.interrupted` when the signal is aborted. */
  async run<Result>(send: Send<Result>, signal?: AbortSignal): Promise<Result> {
    const { tries = 6, wait = systemWait } = this.#options;
    for (let tryNumber = 1; ; tryNumber += 1) {
      throwIfAborted(signal);
      try {
        return await this.#once(send, tryNumber, signal);
      } catch (error) {
        throwIfAborted(signal);
        if (!(error instanceof HoldfastError) || !passing.has(error.code) || tryNumber >= tries) throw error;
        const pauseMs = this.#pauseMs(tryNumber, error);
        if (pauseMs > longestAskedMs) throw error;
        await wait(pauseMs, signal);
      }
    }
  }

  async #once<Result>(send: Send<Result>, tryNumber: number, signal: AbortSignal | undefined): Promise<Result> {
    const { place, timeoutMs = 120_000, clock = systemClock } = this.#options;
    const limit = timeoutSignal(timeoutMs);
    const startMs = clock.monotonicMs();
    try {
      return await send(signal === undefined ? limit : AbortSignal.any([signal, limit]), tryNumber);
    } catch (error) {
      if (limit.aborted && !(error instanceof HoldfastError && error.code !== 'operation.interrupted')) {
        const elapsedMs = Math.round(clock.monotonicMs() - startMs);
        const message = `${place}: no answer within ${timeoutMs} ms`;
        const hint = 'check the network; where the line is slow raise `timeoutMs` of the storage';
        throw new HoldfastError('storage.timeout', { message, hint, context: { place, elapsedMs }, cause: error });
      }
      throw networkErrorFrom(error, place);
    }
  }

  #pauseMs(tryNumber: number, { context }: HoldfastError): number {
    const { firstDelayMs = 500, random = systemRandom } = this.#options;
    const [byte = 0] = random.bytes(1);
    const pauseMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (tryNumber - 1)) * (0.5 + byte / 510);
    const asked = context['retryAfterMs'];
    return typeof asked === 'number' && asked > pauseMs ? asked : pauseMs;
  }
}

/** The milliseconds of a `Retry-After` header, which has seconds or a date (RFC 9110 §10.2.3). */
export function retryAfterMs(header: string | null | undefined, clock: Clock = systemClock): number | undefined {
  if (header === null || header === undefined || header === '') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - clock.nowMs());
}
