import assert from 'node:assert/strict';
import type { Clock, Wait } from '../clock.ts';
import { throwIfAborted } from '../errors.ts';

/**
 * A clock that stands still until it is moved. It starts at 2026-01-01T00:00Z unless told otherwise.
 *
 * @example
 * const clock = new FakeClock();
 * clock.advance(60_000);
 */
export class FakeClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;

  constructor(nowMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Lets time pass, on both clocks. */
  advance(durationMs: number): void {
    assert(durationMs >= 0, 'time does not run backwards: use setNowMs');
    this.#nowMs += durationMs;
    this.#monotonicMs += durationMs;
  }

  /** Waits by letting the time pass at once. */
  readonly wait: Wait = async (durationMs, signal) => {
    throwIfAborted(signal);
    this.advance(durationMs);
  };

  /** Sets the wall clock, back too, as an administrator or a time server does; the monotonic one goes on. */
  setNowMs(nowMs: number): void {
    this.#nowMs = nowMs;
  }
}
