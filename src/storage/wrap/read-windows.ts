import type { RandomAccess } from '../storage.ts';

const windowBytes = 256 * 1024;
/** Larger reads go straight through. */
const smallBytes = 64 * 1024;
const maximumWindows = 8;

/**
 * Makes few large reads of many small ones that lie near one another, such as a look at the last blocks of a file, for storages where
 * each read has a price of its own. Memory: 2 MiB.
 */
export function withReadWindows(inner: RandomAccess): RandomAccess {
  /** The one that was used last is at the end. */
  const windows = new Map<number, Promise<Uint8Array>>();
  const windowAt = (number: number): Promise<Uint8Array> => {
    const window = windows.get(number) ?? readWindow(inner, number);
    windows.delete(number);
    windows.set(number, window);
    // What failed is read again, by whoever asks next.
    window.catch(() => windows.get(number) === window && windows.delete(number));
    for (const oldest of windows.keys()) {
      if (windows.size <= maximumWindows) break;
      windows.delete(oldest);
    }
    return window;
  };
  return {
    sizeBytes: inner.sizeBytes,
    isSequential: inner.isSequential,
    async read(offset, into) {
      const end = Math.min(offset + into.length, inner.sizeBytes);
      if (into.length > smallBytes || offset >= end) return await inner.read(offset, into);
      const first = Math.floor(offset / windowBytes);
      const last = Math.floor((end - 1) / windowBytes);
      const found = await Promise.all(first === last ? [windowAt(first)] : [windowAt(first), windowAt(last)]);
      for (const [index, window] of found.entries()) {
        const start = (first + index) * windowBytes;
        const part = window.subarray(Math.max(0, offset - start), end - start);
        into.set(part, Math.max(0, start - offset));
      }
      return end - offset;
    },
    async close() {
      windows.clear();
      await inner.close();
    },
  };
}

async function readWindow(inner: RandomAccess, number: number): Promise<Uint8Array> {
  const start = number * windowBytes;
  const window = new Uint8Array(Math.min(windowBytes, inner.sizeBytes - start));
  await inner.read(start, window);
  return window;
}
