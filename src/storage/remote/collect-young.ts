import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { readonly type: 'minor' }) => void;

let collect: Collect | undefined;

/** Has the collector look at young objects now: some tenths of a millisecond. */
function collectYoung(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    // The function is there in contexts that are made after the flag was set.
    collect = runInNewContext('gc') as Collect;
    setFlagsFromString('--no-expose-gc');
  }
  collect({ type: 'minor' });
}

/**
 * Counts the bytes that go through a library which makes new buffers of them again and again. What the collector sees of these is small, and it
 * lets a hundred megabytes pile up: it is told every so many bytes.
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
    collectYoung();
  }
}
