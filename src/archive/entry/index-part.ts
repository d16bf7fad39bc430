import { isUtf8 } from 'node:buffer';
import { HoldfastError } from '../../errors.ts';
import type { EntryMetadata } from '../json.ts';
import type { IndexEntry, IndexPartPlace, Run, SegmentSize } from './entry.ts';

/** Index parts as JSON lines: `docs/format.md` section 6. */

export const maximumIndexPartBytes = 16 * 1024 * 1024;

const lineEnd = 0x0a;

/** What stands before the entries of an index part. */
export interface IndexPartHead {
  readonly part: number;
  readonly previous: IndexPartPlace | undefined;
  readonly firstSegment: number;
  readonly segments: readonly SegmentSize[];
}

export function encodeIndexEntry(entry: IndexEntry): string {
  const { path, pathBytes, kind, sizeBytes, sha256, runs, metadata } = entry;
  const bytes = pathBytes === undefined ? {} : { pathBytes: Buffer.from(pathBytes).toString('base64') };
  const compactRuns = runs.map((run) => [run.segment, run.offset, run.length]);
  return `${JSON.stringify({ path, ...bytes, kind, size: sizeBytes, sha256, runs: compactRuns, metadata })}\n`;
}

export function encodeIndexHead(head: IndexPartHead): string {
  const { part, previous, firstSegment } = head;
  const segments = head.segments.map((size) => [size.plain, size.sealed]);
  return `${JSON.stringify({ part, previous: previous ?? null, firstSegment, segments })}\n`;
}

function refuse(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('archive.corrupt', { message: `the index is not valid: ${what}`, cause });
}

function parseLine(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw refuse('a line is not JSON', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('a line is not an object');
  return value as Record<string, unknown>;
}

function count(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw refuse(what);
  return value;
}

function counts(value: unknown, length: number, what: string): number[] {
  if (!Array.isArray(value) || value.length !== length) throw refuse(what);
  return value.map((item) => count(item, what));
}

function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw refuse(what);
  return value;
}

function decodeHead(line: string): IndexPartHead {
  const head = parseLine(line);
  const previous = head['previous'];
  let place: IndexPartPlace | undefined;
  if (previous !== null) {
    if (typeof previous !== 'object' || previous === undefined) throw refuse('previous');
    const raw = previous as Record<string, unknown>;
    place = {
      segment: count(raw['segment'], 'previous'),
      offset: count(raw['offset'], 'previous'),
      length: count(raw['length'], 'previous'),
    };
  }
  return {
    part: count(head['part'], 'part'),
    previous: place,
    firstSegment: count(head['firstSegment'], 'firstSegment'),
    segments: list(head['segments'], 'segments').map((item) => {
      const [plain = 0, sealed = 0] = counts(item, 2, 'segments');
      return { plain, sealed };
    }),
  };
}

function decodeEntry(line: string): IndexEntry {
  const raw = parseLine(line);
  const { path, pathBytes, kind, sha256, metadata } = raw;
  if (typeof path !== 'string' || path === '') throw refuse('path');
  if (pathBytes !== undefined && typeof pathBytes !== 'string') throw refuse('pathBytes');
  if (typeof kind !== 'string') throw refuse('kind');
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) throw refuse('sha256');
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) throw refuse('metadata');
  const runs = list(raw['runs'], 'runs').map((item): Run => {
    const [segment = 0, offset = 0, length = 0] = counts(item, 3, 'runs');
    if (length === 0) throw refuse('an empty run');
    return { segment, offset, length };
  });
  const sizeBytes = count(raw['size'], 'size');
  if (runs.reduce((sum, run) => sum + run.length, 0) !== sizeBytes) throw refuse('the runs do not make the size');
  return {
    path,
    ...(pathBytes === undefined ? {} : { pathBytes: new Uint8Array(Buffer.from(pathBytes, 'base64')) }),
    kind,
    sizeBytes,
    sha256,
    runs,
    metadata: metadata as EntryMetadata,
  };
}

/** Reads what stands before the entries of an index part. Throws `archive.corrupt`, also for text that is not whole. */
export function decodeIndexHead(bytes: Uint8Array): IndexPartHead {
  if (!isUtf8(bytes)) throw refuse('it is not UTF-8');
  if (bytes.at(-1) !== lineEnd) throw refuse('its last line is not ended');
  return decodeHead(textOf(bytes, 0, bytes.indexOf(lineEnd)));
}

/** Reads the entries of an index part whose head was read, one after the other: many are never held at once. Throws `archive.corrupt`. */
export function* decodeIndexEntries(bytes: Uint8Array): Generator<IndexEntry> {
  let start = bytes.indexOf(lineEnd) + 1;
  while (start < bytes.length) {
    const end = bytes.indexOf(lineEnd, start);
    yield decodeEntry(textOf(bytes, start, end));
    start = end + 1;
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
