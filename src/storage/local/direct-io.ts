/**
 * Direct I/O moves bytes between memory and disk without the page cache: a tenth of the CPU time for what is written once and read back
 * once. It wants memory, offset and length aligned.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isSystemError } from '../durable-file.ts';

/** Enough for every disk; most would take 512. */
const alignmentBytes = 4096;

/** Below this the page cache, which reads ahead, is as good. */
const leastReadBytes = 256 * 1024;

/** Whether the environment lets direct I/O be used. */
export function isDirectIoAllowed(): boolean {
  return process.env['HOLDFAST_DIRECT_IO'] !== '0';
}

/** Opens a file a second time, for direct I/O; undefined where its file system, or the platform, has none. */
export async function openDirect(path: string, flags: number): Promise<FileHandle | undefined> {
  // Only Linux and FreeBSD define it.
  const direct: number | undefined = constants.O_DIRECT;
  if (!isDirectIoAllowed() || direct === undefined) return undefined;
  try {
    return await open(path, flags | direct | constants.O_NOFOLLOW);
  } catch (error) {
    if (refusesDirectIo(error)) return undefined;
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

/** The same for a read, where direct I/O is no gain for a short one. */
export function directReadLength(bytes: Uint8Array, length: number, offset: number): number {
  const direct = directLength(bytes, length, offset);
  return direct < leastReadBytes ? 0 : direct;
}
