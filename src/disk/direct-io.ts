/**
 * Direct I/O moves bytes between memory and disk without the page cache: a tenth of the CPU time for what is written once and read back
 * once. It wants memory, offset and length aligned.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isSystemError } from './system-error.ts';

/** Enough for every disk; most would take 512. */
const alignmentBytes = 4096;

/** Below this the page cache, which reads ahead, is as good. */
const leastBytes = 256 * 1024;

/** Whether the environment lets direct I/O be used. */
function isDirectIoAllowed(): boolean {
  return process.env['HOLDFAST_DIRECT_IO'] !== '0';
}

/**
 * Opens an open file a second time, for direct I/O. Undefined where there is none: on its file system or platform, or because the file
 * may not be opened again; the first handle serves then.
 */
export async function openDirect(handle: FileHandle, flags: number): Promise<FileHandle | undefined> {
  // Only Linux and FreeBSD define it.
  const direct: number | undefined = constants.O_DIRECT;
  if (!isDirectIoAllowed() || direct === undefined) return undefined;
  try {
    // The very same file, whatever stands at its path by now.
    return await open(`/proc/self/fd/${handle.fd}`, flags | direct);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** Whether the error says that this cannot be done directly, while the page cache may well do it. */
export function refusesDirectIo(error: unknown): boolean {
  return isSystemError(error) && ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(error.code);
}

/**
 * How many of the bytes, from the first on, can be moved directly at an offset; 0 is none. Where memory that is shared begins is known:
 * `alignedMemory` makes it.
 */
export function directLength(bytes: Uint8Array, length: number, offset: number): number {
  const isAligned = bytes.byteOffset % alignmentBytes === 0 && offset % alignmentBytes === 0;
  if (!isAligned || !(bytes.buffer instanceof SharedArrayBuffer)) return 0;
  return length - (length % alignmentBytes);
}

/** The same, and none where they are so few that direct I/O is no gain. */
export function worthwhileDirectLength(bytes: Uint8Array, length: number, offset: number): number {
  const direct = directLength(bytes, length, offset);
  return direct < leastBytes ? 0 : direct;
}
