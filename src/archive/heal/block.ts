import { asBuffer } from '../../bytes.ts';
import {
  blockSizeBytes,
  bodySizeBytes,
  frameSizeBytes,
  hashSizeBytes,
  headerReplicas,
  type Layout,
  payloadSizeBytes,
} from './geometry.ts';
import { createKernel, type Kernel } from './kernel.ts';

/** Blocks byte by byte: `docs/format.md` section 2. */

export const blockKind = { header: 0, data: 1, parity: 2, final: 3 } as const;
export type BlockKind = (typeof blockKind)[keyof typeof blockKind];
/** Kinds that stand in shards alone (`docs/format.md` section 8); readers of archives pass over them. */
export const shardBlockKind = { head: 4, end: 5, parity: 6 } as const;
export type ShardBlockKind = (typeof shardBlockKind)[keyof typeof shardBlockKind];

export const archiveIdSizeBytes = 16;
/** Positions are below 2^48, so that they are exact numbers. */
const maximumPosition = 2 ** 48;
const innerHashOffset = frameSizeBytes + payloadSizeBytes;
const outerHashOffset = frameSizeBytes + bodySizeBytes;

/** The frame of a block: all of its first 32 bytes. */
export interface Frame {
  readonly position: number;
  /** D of the band in parity and final header blocks, else 0. */
  readonly bandDataBlocks: number;
  readonly kind: BlockKind;
  readonly ordinal: number;
}

/** The frame of any block; of those that stand in shards alone, the fourth field says how the shards are arranged. */
export type AnyFrame = Omit<Frame, 'kind'> & { readonly kind: BlockKind | ShardBlockKind };

function writeFrame(block: Buffer, archiveId: Uint8Array, frame: AnyFrame): void {
  block.set(archiveId, 0);
  block.writeUInt32LE(frame.position % 2 ** 32, 16);
  block.writeUInt32LE(Math.floor(frame.position / 2 ** 32), 20);
  block.writeUInt32LE(frame.bandDataBlocks, 24);
  block[28] = frame.kind;
  block[29] = frame.ordinal;
  block[30] = 0;
  block[31] = 0;
}

/** A frame as its 32 bytes: the template of a kernel's `sealBlocks` and `checkBlocks`. */
export function frameBytes(archiveId: Uint8Array, frame: AnyFrame): Uint8Array {
  const bytes = Buffer.alloc(frameSizeBytes);
  writeFrame(bytes, archiveId, frame);
  return bytes;
}

/** Reads a frame; undefined where its bytes cannot be one. The caller compares the archive id and the hash. */
export function readFrame(block: Buffer): Frame | undefined {
  const position = block.readUInt32LE(16) + block.readUInt32LE(20) * 2 ** 32;
  const kind = block[28];
  const ordinal = block[29] ?? 0;
  if (position >= maximumPosition || block.readUInt16LE(30) !== 0) return undefined;
  if (kind !== 0 && kind !== 1 && kind !== 2 && kind !== 3) return undefined;
  return { position, bandDataBlocks: block.readUInt32LE(24), kind, ordinal };
}

/** A kernel for one block, the same of this thread's every call: the block stands at 0, its hash behind it. */
interface Workspace {
  readonly kernel: Kernel;
  readonly block: Buffer;
  readonly hash: Buffer;
}

let workspace: Workspace | undefined;

/** Made at first use: importing this file compiles nothing. */
function getWorkspace(): Workspace {
  if (workspace === undefined) {
    const kernel = createKernel(blockSizeBytes + hashSizeBytes);
    const memory = asBuffer(kernel.memory);
    const hash = memory.subarray(blockSizeBytes, blockSizeBytes + hashSizeBytes);
    workspace = { kernel, block: memory.subarray(0, blockSizeBytes), hash };
  }
  return workspace;
}

/** The hash of the workspace's block from its start on. It stands until the next call. */
function hashWorkspace(coveredSizeBytes: number): Buffer {
  const { kernel, hash } = getWorkspace();
  kernel.hash({ source: 0, lengthBytes: coveredSizeBytes, target: blockSizeBytes });
  return hash;
}

/** The hash that a block of its kind needs. It stands until the next call. */
function hashBlock(block: Buffer): Buffer {
  const coveredSizeBytes = block[28] === blockKind.data ? innerHashOffset : outerHashOffset;
  getWorkspace().block.set(block.subarray(0, coveredSizeBytes));
  return hashWorkspace(coveredSizeBytes);
}

/** Writes frame and hash around a body (or, for data, a payload) that already stands in its place. */
export function sealBlock(block: Buffer, archiveId: Uint8Array, frame: AnyFrame): void {
  writeFrame(block, archiveId, frame);
  const hash = hashBlock(block);
  if (frame.kind === blockKind.data) block.set(hash, innerHashOffset);
  block.set(hash, outerHashOffset);
}

/** Whether the hash (for data both hashes) of a block is right. */
export function hasRightHash(block: Buffer): boolean {
  const hash = hashBlock(block);
  if (hash.compare(block, outerHashOffset, blockSizeBytes) !== 0) return false;
  return block[28] !== blockKind.data || hash.compare(block, innerHashOffset, outerHashOffset) === 0;
}

/** Whether this is the intact block of that frame; final headers and parity carry the band size of the layout. */
export function isIntactBlock(block: Buffer, archiveId: Uint8Array, expected: Frame): boolean {
  return hasFrame(block, archiveId, expected) && hasRightHash(block);
}

const expectedBytes = Buffer.alloc(frameSizeBytes);

/** The same for blocks of any kind: the frame's 32 bytes are exactly these, and the hash is right. */
export function isSealedAs(block: Buffer, archiveId: Uint8Array, frame: AnyFrame): boolean {
  writeFrame(expectedBytes, archiveId, frame);
  return expectedBytes.compare(block, 0, frameSizeBytes) === 0 && hasRightHash(block);
}

function hasFrame(block: Buffer, archiveId: Uint8Array, expected: Frame): boolean {
  const frame = readFrame(block);
  return (
    frame !== undefined &&
    frame.position === expected.position &&
    frame.kind === expected.kind &&
    frame.ordinal === expected.ordinal &&
    frame.bandDataBlocks === expected.bandDataBlocks &&
    asBuffer(archiveId).compare(block, 0, archiveIdSizeBytes) === 0
  );
}

/** Whether a data body that was solved from parity carries the hash of itself at that position. */
export function isIntactDataBody(body: Uint8Array, archiveId: Uint8Array, position: number): boolean {
  const { block } = getWorkspace();
  writeFrame(block, archiveId, { position, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 });
  block.set(body.subarray(0, payloadSizeBytes), frameSizeBytes);
  return hashWorkspace(innerHashOffset).compare(body, payloadSizeBytes, bodySizeBytes) === 0;
}

/** The frame that a layout puts at a position. */
export function expectedFrame(layout: Layout, position: number): Frame {
  const place = layout.place(position);
  switch (place.kind) {
    case 'header':
      return { position, bandDataBlocks: 0, kind: blockKind.header, ordinal: place.ordinal };
    case 'data':
      return { position, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 };
    case 'parity': {
      const row = Math.floor(place.index / layout.bandGeometry(place.band).stripes);
      return { position, bandDataBlocks: layout.bandDataBlocks(place.band), kind: blockKind.parity, ordinal: row };
    }
    case 'final':
      return {
        position,
        bandDataBlocks: layout.bandDataBlocks(layout.bands - 1),
        kind: blockKind.final,
        ordinal: place.ordinal,
      };
  }
}

/** The header blocks of a band, or the final ones, as they stand in a copy. */
export function headerBlocks(options: {
  readonly archiveId: Uint8Array;
  readonly header: Uint8Array;
  readonly position: number;
  readonly kind: typeof blockKind.header | typeof blockKind.final;
  readonly bandDataBlocks: number;
}): Buffer {
  const blocks = Buffer.alloc(headerReplicas * blockSizeBytes);
  for (let ordinal = 0; ordinal < headerReplicas; ordinal++) {
    const block = blocks.subarray(ordinal * blockSizeBytes, (ordinal + 1) * blockSizeBytes);
    block.set(options.header, frameSizeBytes);
    const { kind, bandDataBlocks } = options;
    sealBlock(block, options.archiveId, { position: options.position + ordinal, bandDataBlocks, kind, ordinal });
  }
  return blocks;
}
