import assert from 'node:assert/strict';
import { asBuffer } from '../../bytes.ts';
import { HoldfastError } from '../../errors.ts';
import { decodeHeader, headerLength } from '../header.ts';
import { archiveIdSizeBytes, blockKind, hasRightHash, readFrame, sealBlock, shardBlockKind } from '../heal/block.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes } from '../heal/geometry.ts';
import { RowCode } from './row-code.ts';
import {
  headBlock,
  isShape,
  leadBlocks,
  rowsPerGroup,
  type ShardHead,
  type SpreadShape,
  shapeMark,
  shardCount,
} from './shard-format.ts';

/** Bytes of all data shards together that are handed on at once: large enough for few calls, small enough for little memory. */
const flushBytes = 4 * 1024 * 1024;
const mostRowsAtOnce = 64;

/** What a spread archive is, once its first block is known. */
interface Begun {
  readonly archiveId: Uint8Array;
  /** Its first block, which is its header. */
  readonly header: Buffer;
}

/**
 * Lays the bytes of an archive of one copy over shards, as they come. Memory: a row, and what was not handed on yet, 4 MiB times (k + m) / k
 * or a row of k + m blocks at least.
 */
export class SpreadEncoder {
  readonly #shape: SpreadShape;
  readonly #code: RowCode;
  readonly #wanted: readonly number[];
  readonly #emit: (index: number, bytes: Uint8Array) => void;
  readonly #rowsAtOnce: number;
  readonly #known: readonly number[];
  readonly #parity: readonly number[];
  /** Of each shard that is wanted, what waits to be handed on. */
  readonly #pending: { bytes: Buffer; length: number }[];
  readonly #row: Buffer;
  #rowBytes = 0;
  #rows = 0;
  #begun: Begun | undefined;

  /** `emit` is given the bytes of each shard in their order, in memory that is its own. `wanted` are the shards to make: all unless set. */
  constructor(options: {
    readonly shape: SpreadShape;
    readonly wanted?: readonly number[];
    readonly emit: (index: number, bytes: Uint8Array) => void;
  }) {
    const { shape, emit } = options;
    assert(isShape(shape), 'an archive can be laid so');
    const all = Array.from({ length: shardCount(shape) }, (_, index) => index);
    this.#shape = shape;
    this.#emit = emit;
    this.#wanted = options.wanted ?? all;
    this.#code = new RowCode(shape);
    this.#known = all.slice(0, shape.data);
    this.#parity = all.slice(shape.data).filter((index) => this.#wanted.includes(index));
    this.#rowsAtOnce = Math.min(mostRowsAtOnce, Math.floor(flushBytes / (shape.data * blockSizeBytes)));
    this.#pending = this.#wanted.map(() => ({ bytes: Buffer.alloc(0), length: 0 }));
    this.#row = Buffer.alloc(shape.data * blockSizeBytes);
  }

  /** Takes the next bytes, of any length; they may be used again at once. Throws `archive.not_an_archive`, `usage.invalid`. */
  push(bytes: Uint8Array): void {
    const source = asBuffer(bytes);
    for (let taken = 0; taken < source.length; ) {
      const length = source.copy(this.#row, this.#rowBytes, taken);
      taken += length;
      this.#rowBytes += length;
      this.#begun ??= this.#rowBytes < blockSizeBytes ? undefined : begin(this.#row.subarray(0, blockSizeBytes));
      if (this.#rowBytes === this.#row.length) this.#endRow(this.#shape.data);
    }
  }

  /** Hands on what is left, and the ends. Throws `archive.not_an_archive` where it is no whole number of blocks. */
  finish(): { readonly archiveId: Uint8Array; readonly totalBlocks: number } {
    const whole = this.#rowBytes / blockSizeBytes;
    if (this.#begun === undefined || !Number.isInteger(whole)) throw notAnArchive();
    const totalBlocks = this.#rows * this.#shape.data + whole;
    if (whole > 0) this.#endRow(whole);
    const { archiveId, header } = this.#begun;
    for (const [place, index] of this.#wanted.entries()) {
      const rows = index < this.#shape.data && whole > 0 && index >= whole ? this.#rows - 1 : this.#rows;
      if (rows === 0) this.#add(place, headBlock(this.#headOf(index), 0), header);
      this.#add(place, headBlock({ ...this.#headOf(index), totalBlocks }, rows), header);
      this.#flush(place);
    }
    return { archiveId, totalBlocks };
  }

  #headOf(index: number): ShardHead {
    assert(this.#begun !== undefined, 'a head is made of the first block');
    return { archiveId: this.#begun.archiveId, shape: this.#shape, index, totalBlocks: undefined };
  }

  #endRow(blocks: number): void {
    const begun = this.#begun;
    assert(begun !== undefined, 'a row holds a block');
    const isLead = this.#rows % rowsPerGroup === 0;
    const add = (place: number, index: number, block: Buffer) => {
      if (isLead) this.#add(place, headBlock(this.#headOf(index), this.#rows), begun.header);
      this.#add(place, block);
    };
    for (const [place, index] of this.#wanted.entries()) {
      if (index < blocks) add(place, index, this.#row.subarray(index * blockSizeBytes, (index + 1) * blockSizeBytes));
    }
    if (this.#parity.length > 0) {
      const bodies = this.#known.map((index) => (index < blocks ? codedBody(this.#row, index) : undefined));
      const solved = this.#code.solve(this.#known, bodies, this.#parity);
      for (const [row, body] of solved.entries()) {
        const index = this.#parity[row] ?? 0;
        add(
          this.#wanted.indexOf(index),
          index,
          parityBlock(begun.archiveId, this.#shape, { index, row: this.#rows, body }),
        );
      }
    }
    this.#rows += 1;
    this.#rowBytes = 0;
    if (this.#rows % this.#rowsAtOnce === 0) for (const place of this.#pending.keys()) this.#flush(place);
  }

  #add(place: number, ...blocks: Buffer[]): void {
    const pending = this.#pending[place];
    assert(pending !== undefined, 'a shard is wanted');
    for (const block of blocks) {
      if (pending.bytes.length === 0) {
        pending.bytes = Buffer.allocUnsafeSlow((this.#rowsAtOnce + 2 * leadBlocks) * blockSizeBytes);
      }
      pending.length += block.copy(pending.bytes, pending.length);
    }
  }

  #flush(place: number): void {
    const pending = this.#pending[place];
    assert(pending !== undefined, 'a shard is wanted');
    // No Buffer: whoever takes a slice of one shares its memory.
    this.#emit(
      this.#wanted[place] ?? 0,
      new Uint8Array(pending.bytes.buffer, pending.bytes.byteOffset, pending.length),
    );
    pending.bytes = Buffer.alloc(0);
    pending.length = 0;
  }
}

function notAnArchive(): HoldfastError {
  return new HoldfastError('archive.not_an_archive', { message: 'only archives can be spread over storages' });
}

function begin(block: Buffer): Begun {
  const frame = readFrame(block);
  const body = block.subarray(frameSizeBytes, frameSizeBytes + bodySizeBytes);
  if (frame?.kind !== blockKind.header || frame.position !== 0 || !hasRightHash(block) || headerLength(body) === 0) {
    throw notAnArchive();
  }
  const { copies } = decodeHeader(body);
  if (copies !== 1) {
    throw new HoldfastError('usage.invalid', {
      message: `an archive of ${copies} copies cannot be spread: its number of copies is sealed into it`,
      hint: 'spread storages take archives of one copy: back up to them, or copy from storages with copies: 1',
    });
  }
  return { archiveId: Uint8Array.from(block.subarray(0, archiveIdSizeBytes)), header: Buffer.from(block) };
}

/** What the code across shards sees of a block: nothing of header blocks, which change when keys do, and stand in every shard anyway. */
function codedBody(row: Buffer, index: number): Buffer | undefined {
  const start = index * blockSizeBytes;
  const kind = row[start + 28];
  if (kind === blockKind.header || kind === blockKind.final) return undefined;
  return row.subarray(start + frameSizeBytes, start + frameSizeBytes + bodySizeBytes);
}

/** A parity block of a row, by its shard's index. */
export function parityBlock(
  archiveId: Uint8Array,
  shape: SpreadShape,
  { index, row, body }: { readonly index: number; readonly row: number; readonly body: Uint8Array },
): Buffer {
  const block = Buffer.alloc(blockSizeBytes);
  block.set(body, frameSizeBytes);
  const ordinal = index - shape.data;
  sealBlock(block, archiveId, {
    position: row,
    bandDataBlocks: shapeMark(shape),
    kind: shardBlockKind.parity,
    ordinal,
  });
  return block;
}
