import { closeSync, fchmodSync, fchownSync, futimesSync, openSync, writeSync } from 'node:fs';
import type { AppliedMetadata } from './apply-metadata.ts';
import { joinPaths, splitPaths } from './read-small-files.ts';

/** New files, as one message for another thread. */
export interface SmallFilesToWrite {
  /** See `joinPaths`. */
  readonly joinedPaths: Uint8Array;
  /** What goes into them, one behind the other. */
  readonly bytes: Uint8Array;
  /** Of each: size, mode, time in seconds, user, group; NaN for what is left as it is. */
  readonly facts: Float64Array;
}

/** A file that is to be written, and what is set before it is closed. */
export interface SmallFileToWrite {
  readonly path: Uint8Array;
  readonly sizeBytes: number;
  readonly metadata: AppliedMetadata;
}

const factsOfFile = 5;

/** Puts files into one message; their `bytes` stand one behind the other. */
export function joinFiles(files: readonly SmallFileToWrite[], bytes: Uint8Array): SmallFilesToWrite {
  const facts = new Float64Array(files.length * factsOfFile);
  for (const [index, { sizeBytes, metadata }] of files.entries()) {
    const { mode, mtimeSeconds = Number.NaN, owner } = metadata;
    facts.set([sizeBytes, mode, mtimeSeconds, owner?.uid ?? Number.NaN, owner?.gid ?? Number.NaN], index * factsOfFile);
  }
  return { joinedPaths: joinPaths(files.map(({ path }) => path)), bytes, facts };
}

/**
 * Writes new files, for their owner alone until they are whole, and sets their owners, modes and times. Gives their descriptors, open and not synced. When
 * one fails, all are closed, and that error is thrown. Synchronous: it is called in a thread of its own.
 */
export function writeSmallFiles({ joinedPaths, bytes, facts }: SmallFilesToWrite): number[] {
  const descriptors: number[] = [];
  let offset = 0;
  try {
    for (const [index, path] of splitPaths(joinedPaths).entries()) {
      const [sizeBytes = 0, mode = 0, mtimeSeconds = 0, uid = 0, gid = 0] = facts.subarray(index * factsOfFile);
      const file = openSync(Buffer.from(path), 'wx', 0o600);
      descriptors.push(file);
      const end = offset + sizeBytes;
      while (offset < end) offset += writeSync(file, bytes, offset, end - offset);
      // In this order: a new owner clears bits of the mode.
      if (!Number.isNaN(uid)) fchownSync(file, uid, gid);
      fchmodSync(file, mode);
      if (!Number.isNaN(mtimeSeconds)) futimesSync(file, mtimeSeconds, mtimeSeconds);
    }
    return descriptors;
  } catch (error) {
    for (const file of descriptors) closeSync(file);
    throw error;
  }
}
