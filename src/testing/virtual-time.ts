import type { Wait } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { FakeClock } from './fake-clock.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/**
 * A time that passes only while all wait: each wait of a program takes its place in the order of their ends, and the clock jumps from one
 * to the next.
 *
 * @example
 * const time = new VirtualTime();
 * const done = work({ clock: time.clock, wait: time.wait });
 * await time.advance(86_400_000);
 */
export class VirtualTime {
  readonly clock: FakeClock;
  readonly #sleepers = new Set<Sleeper>();

  constructor(nowMs?: number) {
    this.clock = new FakeClock(nowMs);
  }

  readonly wait: Wait = (durationMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new HoldfastError('operation.interrupted'));
      const interrupt = () => {
        this.#sleepers.delete(sleeper);
        reject(new HoldfastError('operation.interrupted'));
      };
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', interrupt);
        resolve();
      };
      const sleeper = { dueMs: this.clock.monotonicMs() + durationMs, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', interrupt, { once: true });
    });

  /** Lets all go on that can, until each waits for time or for the world. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => setImmediate(() => setImmediate(resolve)));
    });
  }

  /** Lets time pass, from one end of a wait to the next. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + durationMs;
    for (;;) {
      await this.settle();
      let next: Sleeper | undefined;
      for (const sleeper of this.#sleepers) if (next === undefined || sleeper.dueMs < next.dueMs) next = sleeper;
      if (next === undefined || next.dueMs > endMs) break;
      this.clock.advance(Math.max(0, next.dueMs - this.clock.monotonicMs()));
      next.wake();
    }
    this.clock.advance(endMs - this.clock.monotonicMs());
  }
}
