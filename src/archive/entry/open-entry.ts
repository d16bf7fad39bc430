import assert from 'node:assert/strict';
import type { EntryMetadata } from '../json.ts';
import type { HashSpan } from '../worker/protocol.ts';
import type { IndexEntry } from './entry.ts';
import { encodeIndexEntry } from './index-part.ts';
import type { EntryRuns } from './run-follower.ts';

/** An entry on its way in. */
export interface EntryInput {
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  readonly kind: string;
  /** As far as it is known. */
  readonly expectedSizeBytes?: number;
  /** Read when the bytes have ended. */
  readonly metadata: EntryMetadata;
}

/** Memory that is cut into segments when it is full; they go to a worker together. */
export interface OpenBatch {
  readonly buffer: Uint8Array;
  readonly spans: HashSpan[];
  /** Entries that ended here. */
  readonly ended: OpenEntry[];
  length: number;
}

/** An entry whose bytes have begun. */
export interface OpenEntry {
  readonly input: EntryInput;
  readonly id: number;
  /** Those of the bytes that have a place in the stream. */
  readonly runs: EntryRuns;
  /** Being filled with its bytes, behind those of others perhaps. */
  batch: OpenBatch | undefined;
  sizeBytes: number;
  /** About what its line in the index takes, with one run; known when it has ended. */
  lineBytes: number;
  /** All of its bytes have a place in the stream. */
  isPlaced: boolean;
  /** Known when its hash has been made. */
  sha256: string | undefined;
}

/** The line of an entry in the index; the digest is given apart, as one of the same length stands in for it before it is known. */
export function indexLine(entry: OpenEntry, sha256: string | undefined): string {
  const { input, runs, sizeBytes } = entry;
  const { path, pathBytes, kind, metadata } = input;
  assert(sha256 !== undefined, 'an entry has no digest');
  const bytes = pathBytes === undefined ? {} : { pathBytes };
  const record: IndexEntry = { path, ...bytes, kind, sizeBytes, sha256, runs: runs.all, metadata };
  return encodeIndexEntry(record);
}
