import assert from 'node:assert/strict';
import { copyBytes } from '../../bytes.ts';
import { HoldfastError } from '../../errors.ts';
import type { RandomAccess } from '../storage.ts';

/** Fills `into` with the bytes from `offset` on, all of them, or throws. */
export type ReadRange = (offset: number, into: Uint8Array, signal: AbortSignal) => Promise<void>;

/** One request asks for this at most, so that its time limit means something. */
const rangeBytes = 4 * 1024 * 1024;
const requestsInFlight = 6;

/** Lets a number of tasks run at once; others wait in line. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(width: number) {
    this.#free = width;
  }

  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

/**
 * Reads of a remote object as requests for ranges: those that callers ask for at once run side by side, up to six; a large one is cut.
 * Closing ends requests under way. No memory of its own: bytes go where the caller wants them.
 */
export function rangedAccess(sizeBytes: number, readRange: ReadRange): RandomAccess {
  const gate = new Gate(requestsInFlight);
  const closed = new AbortController();
  const throwIfClosed = () => {
    if (closed.signal.aborted) throw new HoldfastError('storage.failed', { message: 'it was closed' });
  };
  const readPart = (offset: number, into: Uint8Array) =>
    gate.run(async () => {
      throwIfClosed();
      await readRange(offset, into, closed.signal);
    });
  return {
    sizeBytes,
    async read(offset, into) {
      assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number from 0 on');
      throwIfClosed();
      const length = Math.max(0, Math.min(into.length, sizeBytes - offset));
      const parts: Promise<void>[] = [];
      for (let done = 0; done < length; done += rangeBytes) {
        parts.push(readPart(offset + done, into.subarray(done, Math.min(length, done + rangeBytes))));
      }
      // All, so that nothing writes to the caller's memory after this is settled.
      for (const part of await Promise.allSettled(parts)) if (part.status === 'rejected') throw part.reason;
      return length;
    },
    async close() {
      closed.abort();
    },
  };
}

/** Fills `into` from what a server sends, which must be as long; `what` is named in the error otherwise. */
export async function fillFrom(chunks: AsyncIterable<Uint8Array>, into: Uint8Array, what: string): Promise<void> {
  let filled = 0;
  for await (const chunk of chunks) {
    if (filled + chunk.length > into.length) throw wrongLength(what, `more than ${into.length} bytes came`);
    copyBytes(chunk, into, filled);
    filled += chunk.length;
  }
  if (filled < into.length) throw wrongLength(what, `${filled} of ${into.length} bytes came`);
}

/** Such an answer may be better the next time. */
function wrongLength(what: string, reason: string): HoldfastError {
  return new HoldfastError('storage.unavailable', { message: `${what}: ${reason}` });
}
