import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from './errors.ts';

/** The time, as a parameter. Only this file asks the system for it. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00Z. */
  nowMs(): number;
  /** Milliseconds that never go back, from an arbitrary start. */
  monotonicMs(): number;
}

/** The time of this machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** The longest time that timers can be set to, 24.8 days: with more they end at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** A signal that is aborted after a time of this machine, {@link longestTimerMs} at most. It does not keep the process alive. */
export function timeoutSignal(timeoutMs: number): AbortSignal {
  return AbortSignal.timeout(Math.min(timeoutMs, longestTimerMs));
}

/** Lets time pass, as a parameter. Throws `operation.interrupted` as soon as the signal is aborted. */
export type Wait = (durationMs: number, signal?: AbortSignal) => Promise<void>;

/** Waits by the clock of this machine. */
export const systemWait: Wait = async (durationMs, signal) => {
  const options = signal === undefined ? {} : { signal };
  let leftMs = durationMs;
  try {
    for (; leftMs > longestTimerMs; leftMs -= longestTimerMs) await pause(longestTimerMs, undefined, options);
    await pause(leftMs, undefined, options);
  } catch (cause) {
    throw new HoldfastError('operation.interrupted', { cause });
  }
};

/** Waits by the clock of this machine; ends early, without an error, when the signal is aborted. */
export async function delay(durationMs: number, signal?: AbortSignal): Promise<void> {
  await systemWait(durationMs, signal).catch(() => undefined);
}

/** Runs work again and again, for as long as something else keeps the process alive. */
export function whileAlive(everyMs: number, work: () => void): void {
  setInterval(work, everyMs).unref();
}
