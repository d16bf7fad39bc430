import type { Codec } from '../header.ts';
import type { BlockKind } from '../heal/block.ts';
import type { StripeShape } from '../heal/geometry.ts';
import type { SegmentKind, SegmentSeal } from '../seal/segment-cipher.ts';

/**
 * What worker threads do. Bulk bytes lie in shared memory that the main thread lends for a task; messages carry views of it.
 * A worker does its tasks in the order in which they were sent.
 */

/** What a worker must know of the archive. */
export interface WorkerSetup {
  readonly archiveId: Uint8Array;
  readonly shape: StripeShape;
  readonly codec: Codec;
  /** Undefined where blocks alone are worked on, without a key. */
  readonly seal: SegmentSeal | undefined;
  /** T, once it is known: for tasks that check blocks. */
  readonly totalDataBlocks: number | undefined;
}

/** Bytes of one entry within a segment, for its SHA-256. */
export interface HashSpan {
  readonly entry: number;
  readonly offset: number;
  readonly length: number;
  /** The entry ends here. */
  readonly last: boolean;
}

/** Segments that lie one after the other in `plain`; sealed they lie one after the other in `into`. */
export interface SealTask {
  readonly plain: Uint8Array;
  readonly segments: readonly { readonly number: number; readonly offset: number; readonly length: number }[];
  readonly kind: SegmentKind;
  readonly into: Uint8Array;
}

/** Data blocks of a band, in order. */
export interface FrameTask {
  /** Sealed bytes; joined they are `count` payloads. */
  readonly pieces: readonly Uint8Array[];
  readonly count: number;
  /** The payloads are lost: their blocks stay zero, so that they stay known as lost. */
  readonly lost: boolean;
  readonly firstPosition: number;
  /** Index of the first block in its band. */
  readonly firstIndex: number;
  /** Takes the blocks. */
  readonly blocks: Uint8Array;
}

/** Parity blocks of the band whose data blocks were framed last. All of them are asked for, in order. */
export interface ParityTask {
  readonly bandDataBlocks: number;
  /** Index of the first block among the band's parity blocks. */
  readonly firstIndex: number;
  readonly firstPosition: number;
  readonly count: number;
  /** Takes the blocks. */
  readonly blocks: Uint8Array;
}

/** Blocks at consecutive positions, one reading of them for each layer of the block map. */
export interface CheckTask {
  readonly layers: readonly Uint8Array[];
  readonly firstPosition: number;
  readonly count: number;
  /** The body that header blocks must have. */
  readonly headerBody: Uint8Array;
  /** Where the payloads of data blocks go; absent when they are not wanted. */
  readonly payloads?: Uint8Array;
}

/** For each block the layers in which it is intact, as bits. */
export interface CheckResult {
  readonly intact: Uint16Array;
}

/** One segment, from raw blocks to plain bytes. */
export interface LoadTask {
  /** Raw data blocks in order, one reading for each layer. */
  readonly layers: readonly Uint8Array[];
  /** Number, in the sealed stream, of the first data block. */
  readonly firstData: number;
  readonly count: number;
  /** Payloads that were healed elsewhere, by index. */
  readonly patches: readonly { readonly index: number; readonly payload: Uint8Array }[];
  /** Where in the first payload the sealed bytes begin, and their length. */
  readonly offset: number;
  readonly length: number;
  readonly number: number;
  readonly kind: SegmentKind;
  /** Most bytes that the segment may expand to. */
  readonly maximumPlainBytes: number;
  readonly compressed: boolean;
  readonly into: Uint8Array;
}

export interface LoadResult {
  /** Indexes without an intact block or a patch; the segment was opened only if there are none. */
  readonly missing: readonly number[];
  readonly plainLength: number;
}

/** Consecutive data segments from raw blocks that need no healing. */
export interface OpenTask {
  /** Raw data blocks in order; the first reading is the one that is opened. */
  readonly layers: readonly Uint8Array[];
  /** Whether the blocks of all readings are checked as well. */
  readonly checkBlocks: boolean;
  /** Number, in the sealed stream, of the first data block. */
  readonly firstData: number;
  readonly count: number;
  readonly segments: readonly {
    readonly number: number;
    /** Where in the joined payloads the sealed bytes begin. */
    readonly offset: number;
    readonly length: number;
    readonly plainLength: number;
  }[];
  /** Takes the plain bytes of all, joined. */
  readonly into: Uint8Array;
}

export interface SolveTask {
  /** Positions of the stripe: its data by index, then its parity by row. */
  readonly positions: readonly number[];
  readonly dataCount: number;
  readonly parityRows: number;
  /** All readings of all positions: block `p` of reading `l` is at `(l·positions + p)·4096`. */
  readonly blocks: Uint8Array;
  readonly layers: number;
  /** Whether reading `l` has a block at position `p`, in the same order. */
  readonly present: Uint8Array;
}

export interface SolveResult {
  /** Payloads of the data blocks that were not intact, by their index in the stripe; undefined where lost. */
  readonly solved: readonly { readonly index: number; readonly payload: Uint8Array | undefined }[];
}

export interface ScanTask {
  readonly bytes: Uint8Array;
  /** Look for blocks that begin below this offset. */
  readonly limit: number;
  /** Whose blocks; undefined for the header blocks of any archive. */
  readonly archiveId: Uint8Array | undefined;
}

/** An intact block that was found by its own bytes. */
export interface FoundBlock {
  readonly offset: number;
  readonly position: number;
  readonly kind: BlockKind;
  readonly ordinal: number;
  readonly bandDataBlocks: number;
  /** The header's bytes, in header blocks. */
  readonly body?: Uint8Array;
}

export interface Tasks {
  configure: { input: WorkerSetup; output: undefined };
  /** Gives the sealed length of each. */
  seal: { input: SealTask; output: readonly number[] };
  hash: {
    input: { bytes: Uint8Array; spans: readonly HashSpan[] };
    output: readonly { entry: number; sha256: string }[];
  };
  /** Forgets what is kept for making parity, which takes some MiB. */
  resetParity: { input: undefined; output: undefined };
  frame: { input: FrameTask; output: undefined };
  parity: { input: ParityTask; output: undefined };
  check: { input: CheckTask; output: CheckResult };
  load: { input: LoadTask; output: LoadResult };
  /** False where a segment does not open as it should, or a block is not intact; nothing in `into` may be used then. */
  open: { input: OpenTask; output: boolean };
  solve: { input: SolveTask; output: SolveResult };
  scan: { input: ScanTask; output: readonly FoundBlock[] };
}

export type TaskName = keyof Tasks;

export interface TaskRequest<Name extends TaskName = TaskName> {
  readonly id: number;
  readonly name: Name;
  /** Whose archive it is of: what a worker keeps of one, others do not see. */
  readonly archive: number;
  readonly input: Tasks[Name]['input'];
}

export type TaskResponse =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly error: TaskError };

/** An error as it crosses threads. */
export interface TaskError {
  readonly code: string | undefined;
  readonly message: string;
  readonly hint: string | undefined;
  readonly context: Record<string, unknown>;
  readonly stack: string | undefined;
}
