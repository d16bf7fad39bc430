import { execFile } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { RangeSet } from '../../archive/range-set.ts';
import { isSystemError } from '../../disk/system-error.ts';

/** Far enough for every archive, and within what ext4 allows. The hole before it costs nothing. */
const farOffset = 2 ** 42;
const blockBytes = 4096;
const timeoutMs = 60_000;
const runProgram = promisify(execFile);

/**
 * Takes `length` bytes out of a file, so that what stands behind them moves up: no byte is copied. Only some file systems can do that
 * (ext4, XFS, F2FS), and only the system's `fallocate` reaches it from here. False where it cannot be done; nothing has changed then.
 */
async function collapseRange(handle: FileHandle, offset: number, length: number): Promise<boolean> {
  // The very same file, whatever stands at its path by now.
  const path = `/proc/${process.pid}/fd/${handle.fd}`;
  const { size } = await handle.stat();
  const args = ['--collapse-range', '--offset', String(offset), '--length', String(length), path];
  // Why it fails is of no interest: whether the file has become shorter tells all.
  await runProgram('fallocate', args, { timeout: timeoutMs }).catch(() => undefined);
  return (await handle.stat()).size === size - length;
}

/** What a {@link FarCopy} writes to. */
export interface FarCopyFile {
  readonly handle: FileHandle;
  /** Writes bytes at a place. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
}

/**
 * The second copy of a run, written together with the first. Where it will stand is not known before the first one has ended, so it is
 * written behind a hole that is taken out of the file afterwards. Whatever fails about it only means that the copy is made in another way.
 */
export class FarCopy {
  readonly #file: FarCopyFile;
  /** In the run: what the copy has. */
  readonly #written = new RangeSet();
  #isGivenUp = false;

  /** Undefined where the file system cannot take a hole out of a file. */
  static async begin(file: FarCopyFile): Promise<FarCopy | undefined> {
    if (process.platform !== 'linux') return undefined;
    const { handle } = file;
    const { size } = await handle.stat();
    try {
      await handle.truncate(farOffset + 2 * blockBytes);
      const can = await collapseRange(handle, farOffset, blockBytes);
      await handle.truncate(size);
      return can ? new FarCopy(file) : undefined;
    } catch (error) {
      // A file may not become so long: by a limit of the process or of the file system.
      if (!isSystemError(error)) throw error;
      await handle.truncate(size);
      return undefined;
    }
  }

  private constructor(file: FarCopyFile) {
    this.#file = file;
  }

  /** Whether what was written here is, or will be, the second copy. */
  get isKept(): boolean {
    return !this.#isGivenUp;
  }

  /** Where in the file bytes of the run stand in this copy; undefined while they do not. */
  offsetOf(offset: number, length: number): number | undefined {
    if (this.#isGivenUp || !this.#written.gaps(offset, offset + length).next().done) return undefined;
    return farOffset + offset;
  }

  /** Writes bytes that stand at `offset` of the run. What is left out stays for others to copy. */
  async write(bytes: Uint8Array, offset: number): Promise<void> {
    if (this.#isGivenUp) return;
    try {
      await this.#file.write(bytes, farOffset + offset);
      this.#written.add(offset, offset + bytes.length);
    } catch {
      this.#isGivenUp = true;
    }
  }

  /**
   * Moves the copy up behind the run, which has ended. Gives what of the run stands in it; nothing where there is no copy, and the file
   * ends with the run.
   */
  async join(runBytes: number): Promise<RangeSet> {
    const { handle } = this.#file;
    const canJoin = !this.#isGivenUp && runBytes % blockBytes === 0;
    if (canJoin && (await collapseRange(handle, runBytes, farOffset - runBytes))) return this.#written;
    this.#isGivenUp = true;
    await handle.truncate(runBytes);
    return new RangeSet();
  }
}
