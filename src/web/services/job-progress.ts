import { SmoothedRate } from '../../cli/progress-line.ts';
import type { Progress } from '../../operation/options.ts';
import type { JobProgress } from './web-services.ts';

const mostParts = 20;

/** Makes of the steps that a command tells what is shown: with a rate, and the parts that were in work lately. */
export class ProgressRecord {
  #rate = new SmoothedRate();
  #phase: string | undefined;
  readonly #parts = new Map<string, { doneBytes: number; totalBytes: number; isDone: boolean }>();
  current: JobProgress | undefined;

  see(progress: Progress, nowMs: number): void {
    const { phase, doneBytes, totalBytes, entry, entryDoneBytes = 0, entryExpectedBytes = 0 } = progress;
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#rate = new SmoothedRate();
      for (const part of this.#parts.values()) part.isDone = true;
    }
    this.#rate.update(nowMs, doneBytes);
    if (entry !== undefined) this.#seePart(entry, entryDoneBytes, entryExpectedBytes);
    const { bytesPerSecond } = this.#rate;
    const leftBytes = totalBytes - doneBytes;
    this.current = {
      ...progress,
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      ...(bytesPerSecond !== undefined && bytesPerSecond > 0 && leftBytes > 0
        ? { leftMs: Math.round((leftBytes / bytesPerSecond) * 1000) }
        : {}),
      parts: [...this.#parts].map(([name, part]) => ({ name, ...part })),
    };
  }

  #seePart(name: string, doneBytes: number, totalBytes: number): void {
    const isNew = !this.#parts.has(name);
    // Entries are read one after the other, a few at once of a database: those before are done.
    if (isNew) for (const part of [...this.#parts.values()].slice(0, -3)) part.isDone = true;
    this.#parts.set(name, { doneBytes, totalBytes, isDone: totalBytes > 0 && doneBytes >= totalBytes });
    for (const old of this.#parts.keys()) {
      if (this.#parts.size <= mostParts) break;
      this.#parts.delete(old);
    }
  }
}
