import { setTimeout } from 'node:timers/promises';

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

/** A signal that is aborted after a time of this machine. It does not keep the process alive. */
export function timeoutSignal(timeoutMs: number): AbortSignal {
  return AbortSignal.timeout(timeoutMs);
}

/** Waits for a time of this machine; rejects with the signal's reason as soon as it is aborted. */
export async function delay(timeMs: number, signal?: AbortSignal): Promise<void> {
  await setTimeout(timeMs, undefined, signal === undefined ? {} : { signal });
}
