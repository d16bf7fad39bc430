import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'minor' | 'major' }) => void;

let collect: Collect | undefined;

/** Has the collector look at young objects now, some tenths of a millisecond, or at all: some tens of milliseconds. */
function collectNow(type: 'minor' | 'major'): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    // The function is there in contexts that are made after the flag was set.
    collect = runInNewContext('gc') as Collect;
    setFlagsFromString('--no-expose-gc');
  }
  collect({ type });
}

/** What buffers may hold beyond what they held after the last full collection. */
const keptBytes = 16 * 1024 * 1024;
let leastBytes = Number.POSITIVE_INFINITY;

/**
 * Counts the bytes that go through a library which makes new buffers of them again and again. What the collector sees of these is small, and it
 * lets a hundred megabytes pile up: it is told every so many bytes. A buffer that is under way when it looks twice counts as old, and stays until all
 * is looked at: that is done when there is much of it.
 */
export class PassedBytes {
  readonly #everyBytes: number;
  #bytes = 0;

  constructor(everyBytes: number) {
    this.#everyBytes = everyBytes;
  }

  add(count: number): void {
    this.#bytes += count;
    if (this.#bytes < this.#everyBytes) return;
    this.#bytes = 0;
    collectNow('minor');
    const { arrayBuffers } = process.memoryUsage();
    leastBytes = Math.min(leastBytes, arrayBuffers);
    if (arrayBuffers < leastBytes + keptBytes) return;
    collectNow('major');
    leastBytes = process.memoryUsage().arrayBuffers;
  }
}
