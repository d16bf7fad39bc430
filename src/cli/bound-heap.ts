import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { whileAlive } from '../clock.ts';

const lookEveryMs = 100;
const allowedGarbageBytes = 8 * 1024 * 1024;
/** A heap that holds more than this is collected more thoroughly. What the command line itself holds is some 9 MiB. */
const smallHeapBytes = 16 * 1024 * 1024;

/** Without what was made a moment ago, which V8 collects by itself and at once. */
function oldBytes(): number {
  let sum = 0;
  for (const { space_name: name, space_used_size: usedBytes } of getHeapSpaceStatistics()) {
    if (!name.startsWith('new_')) sum += usedBytes;
  }
  return sum;
}

/**
 * Keeps the heap of this process near what it holds: V8 lets that of a program which keeps little grow to several times of it before it collects, and
 * a run over thousands of small files leaves much behind. A collection takes some 30 ms, once in 8 MiB of garbage. A heap that stays small is left to V8: what the
 * collector does to save memory costs a run over large files a tenth of its time. Ends with the process.
 */
export function boundHeap(): void {
  setFlagsFromString('--expose-gc');
  // The function is there in contexts that are made after the flag was set.
  const collect: (options: object) => void = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  let keptBytes = oldBytes();
  const look = () => {
    const bytes = oldBytes();
    // The collector then lets old objects pile up less: by 20 MiB where rows and ten thousand files are read, and by 70 where a hundred thousand small files are.
    if (bytes >= smallHeapBytes) setFlagsFromString('--optimize-for-size');
    if (bytes < keptBytes + allowedGarbageBytes) return;
    collect({ type: 'major', execution: 'sync' });
    keptBytes = oldBytes();
  };
  whileAlive(lookEveryMs, look);
}
