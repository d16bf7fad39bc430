import { spawnSync } from 'node:child_process';
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HoldfastError } from '../../errors.ts';
import type { Codec } from '../header.ts';

/**
 * Whole segments, compressed and expanded. Synchronous: it is called in worker threads only.
 * bzip2 and xz are the system's programs; a segment is large enough for a process each.
 */

/** Level 1 is twice as fast as level 3 at nearly its ratio on database dumps: see `bench/RESULTS.md`. */
const zstdLevel = 1;
const gzipLevel = 6;

function runTool(program: string, args: readonly string[], bytes: Uint8Array, maximumBytes: number): Buffer {
  const result = spawnSync(program, args, { input: bytes, maxBuffer: maximumBytes + 1 });
  const code = (result.error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT') {
    throw new HoldfastError('tool.not_found', {
      message: `the program ${program} is not installed`,
      hint: `install ${program === 'xz' ? 'xz-utils' : program}, or choose --compression zstd`,
    });
  }
  if (code === 'ENOBUFS') throw tooLong();
  // A program that could not be started, or was killed, tells nothing of the bytes.
  if (result.status === null) {
    // Of one that was killed the error may only say that it took no more input.
    const reason = result.signal === null ? result.error?.message : `it was ended by ${result.signal}`;
    throw new HoldfastError('tool.failed', { message: `${program} failed: ${reason}`, cause: result.error });
  }
  if (result.status !== 0) {
    throw new HoldfastError('archive.corrupt', { message: `${program} failed: ${String(result.stderr).trim()}` });
  }
  return result.stdout;
}

function tooLong(cause?: unknown): HoldfastError {
  return new HoldfastError('archive.corrupt', {
    message: 'a segment expands beyond its stated length',
    context: { reason: 'expands' },
    cause,
  });
}

export function compressSegment(codec: Codec, bytes: Uint8Array): Uint8Array {
  // One chunk that holds any result keeps zlib from joining many.
  const chunkSize = bytes.length + (bytes.length >> 8) + 1024;
  switch (codec) {
    case 'none':
      return bytes;
    case 'zstd':
      return zstdCompressSync(bytes, { chunkSize, params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } });
    case 'gzip':
      return gzipSync(bytes, { chunkSize, level: gzipLevel });
    case 'bz2':
      return runTool('bzip2', ['-c', '-9'], bytes, chunkSize * 2);
    case 'xz':
      return runTool('xz', ['-c', '-6', '-T1'], bytes, chunkSize * 2);
  }
}

/** Expands a segment to at most `maximumBytes`; throws `archive.corrupt` for more, and for what is not of the codec. */
export function expandSegment(codec: Codec, bytes: Uint8Array, maximumBytes: number): Uint8Array {
  const expanded = expandBounded(codec, bytes, maximumBytes);
  if (expanded.length > maximumBytes) throw tooLong();
  return expanded;
}

function expandBounded(codec: Codec, bytes: Uint8Array, maximumBytes: number): Uint8Array {
  switch (codec) {
    case 'none':
      return bytes;
    case 'bz2':
      return runTool('bzip2', ['-d', '-c'], bytes, maximumBytes);
    case 'xz':
      return runTool('xz', ['-d', '-c', '-T1'], bytes, maximumBytes);
  }
  // One chunk that is never quite full: zlib takes another where it is.
  const options = { chunkSize: maximumBytes + 64, maxOutputLength: Math.max(1, maximumBytes) };
  try {
    return codec === 'zstd' ? zstdDecompressSync(bytes, options) : gunzipSync(bytes, options);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLong(cause);
    throw new HoldfastError('archive.corrupt', { message: `a segment is not valid ${codec}`, cause });
  }
}
