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
    // Buffers that nobody holds are freed before it returns. By a thread that does so later on they would be taken for held here, and each
    // time all would be looked at: half of the time that a fast upload takes.
    setFlagsFromString('--no-concurrent-array-buffer-sweeping');
  }
  collect({ type });
}

/** What may be held beyond what was held after the last full collection. */
const keptBytes = 12 * 1024 * 1024;
let leastBytes = Number.POSITIVE_INFINITY;

function heldBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/**
 * Counts the bytes that go through a library which makes new buffers of them again and again. What the collector sees of these is small, and it
 * lets a hundred megabytes pile up: it is told every so many bytes. What is under way when it looks twice counts as old, and stays until all
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
    const held = heldBytes();
    leastBytes = Math.min(leastBytes, held);
    if (held < leastBytes + keptBytes) return;
    collectNow('major');
    leastBytes = heldBytes();
  }
}
