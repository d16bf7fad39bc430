import assert from 'node:assert/strict';
import { HoldfastError } from '../../errors.ts';
import { expandSegment } from '../compress/codec.ts';
import { openSegment, segmentKind } from '../seal/segment-cipher.ts';
import { freeMemory } from '../worker/free-memory.ts';
import type { CheckResult, CheckTask, LoadResult, LoadTask, OpenTask, WorkerSetup } from '../worker/protocol.ts';
import { asBuffer, blockKind, expectedFrame, type Frame, isFramedDataBlock, isIntactBlock } from './block.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes, type Layout, payloadSizeBytes } from './geometry.ts';

/** Checking blocks against what the layout expects, and opening segments from them. Runs in worker threads. */

function blockAt(layer: Buffer, index: number): Buffer {
  return layer.subarray(index * blockSizeBytes, (index + 1) * blockSizeBytes);
}

/** The layers in which a block is intact, as bits; bytes that are equal are hashed once. */
function intactLayers(
  layers: readonly Buffer[],
  index: number,
  archiveId: Uint8Array,
  expected: Frame,
  payloadProven = false,
): number {
  let bits = 0;
  let known: Buffer | undefined;
  for (const [number, layer] of layers.entries()) {
    const block = blockAt(layer, index);
    // What is proven are the first layer's payloads; a block of another layer is as right as it is the same.
    const isIntact = payloadProven && number === 0 ? isFramedDataBlock : isIntactBlock;
    const intact = known?.equals(block) === true || isIntact(block, archiveId, expected);
    if (!intact) continue;
    known = block;
    bits |= 1 << number;
  }
  return bits;
}

function firstLayer(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function copyPayload(layers: readonly Buffer[], index: number, bits: number, into: Uint8Array, offset: number): void {
  const layer = layers[firstLayer(bits)];
  assert(layer !== undefined, 'a block has no intact layer');
  const start = index * blockSizeBytes + frameSizeBytes;
  into.set(layer.subarray(start, start + payloadSizeBytes), offset);
}

/** The layers whose header is the archive's: one of another generation is whole, but it does not count any more. */
function currentHeaders(layers: readonly Buffer[], index: number, headerBody: Uint8Array): number {
  let bits = 0;
  for (const [number, layer] of layers.entries()) {
    const start = index * blockSizeBytes + frameSizeBytes;
    if (layer.subarray(start, start + bodySizeBytes).equals(headerBody)) bits |= 1 << number;
  }
  return bits;
}

/** The `check` task. */
export function checkBlocks(task: CheckTask, archiveId: Uint8Array, layout: Layout): CheckResult {
  const layers = task.layers.map(asBuffer);
  const intact = new Uint16Array(task.count);
  const lastData = layout.dataPosition(layout.totalDataBlocks - 1);
  for (let index = 0; index < task.count; index++) {
    const expected = expectedFrame(layout, task.firstPosition + index);
    // The last block ends with zeros that no segment covers.
    const isProven = task.payloadsProven && expected.kind === blockKind.data && expected.position !== lastData;
    const whole = intactLayers(layers, index, archiveId, expected, isProven);
    const isHeader = expected.kind === blockKind.header || expected.kind === blockKind.final;
    const bits = isHeader ? whole & currentHeaders(layers, index, task.headerBody) : whole;
    intact[index] = bits;
    if (bits !== 0 && task.payloads !== undefined && expected.kind === blockKind.data) {
      copyPayload(layers, index, bits, task.payloads, index * payloadSizeBytes);
    }
  }
  return { intact };
}

/** Payloads of the first layer as they stand. */
function plainPayloads(layer: Buffer, count: number, payloads: Buffer): void {
  for (let index = 0; index < count; index++) copyPayload([layer], index, 1, payloads, index * payloadSizeBytes);
}

/** Payloads of intact blocks and of patches; gives the indexes that have neither. */
function gatherPayloads(task: LoadTask, setup: WorkerSetup, layout: Layout, payloads: Buffer): number[] {
  const layers = task.layers.map(asBuffer);
  const missing: number[] = [];
  const patches = new Map(task.patches.map((patch) => [patch.index, patch.payload]));
  for (let index = 0; index < task.count; index++) {
    const position = layout.dataPosition(task.firstData + index);
    const expected: Frame = { position, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 };
    const bits = intactLayers(layers, index, setup.archiveId, expected);
    const patch = patches.get(index);
    if (bits !== 0) copyPayload(layers, index, bits, payloads, index * payloadSizeBytes);
    else if (patch !== undefined) payloads.set(patch, index * payloadSizeBytes);
    else missing.push(index);
  }
  return missing;
}

/**
 * The `load` task: no byte leaves it that was not authenticated. The segment's tag is stronger than the blocks' hashes, so these are
 * looked at only where the tag of the first layer's bytes fails.
 */
export function loadSegment(task: LoadTask, setup: WorkerSetup, layout: Layout): LoadResult {
  const { seal, codec } = setup;
  assert(seal !== undefined, 'the worker has no key');
  const payloads = scratchOf(task.count * payloadSizeBytes);
  const open = () => {
    const sealed = payloads.subarray(task.offset, task.offset + task.length);
    return openSegment(seal, { number: task.number, kind: task.kind, bytes: sealed });
  };
  let opened: Buffer | undefined;
  const [first] = task.layers;
  if (first !== undefined && task.patches.length === 0) {
    plainPayloads(asBuffer(first), task.count, payloads);
    opened = tryOpen(open);
  }
  if (opened === undefined) {
    const missing = gatherPayloads(task, setup, layout, payloads);
    if (missing.length > 0) return { missing, plainLength: 0 };
    opened = open();
  }
  const plain = task.compressed ? expandSegment(codec, opened, task.maximumPlainBytes) : opened;
  task.into.set(plain, 0);
  const plainLength = plain.length;
  freeMemory(plain);
  freeMemory(opened);
  return { missing: [], plainLength };
}

/** The `open` task: the way of an archive that is whole. */
export function openSegments(task: OpenTask, setup: WorkerSetup): boolean {
  const { seal, codec } = setup;
  assert(seal !== undefined, 'the worker has no key');
  const payloads = scratchOf(task.count * payloadSizeBytes);
  plainPayloads(asBuffer(task.blocks), task.count, payloads);
  let end = 0;
  for (const { number, offset, length, plainLength } of task.segments) {
    const bytes = payloads.subarray(offset, offset + length);
    const opened = tryOpen(() => openSegment(seal, { number, kind: segmentKind.data, bytes }));
    if (opened === undefined) return false;
    const plain = expandSegment(codec, opened, plainLength);
    if (plain.length !== plainLength) return false;
    task.into.set(plain, end);
    end += plainLength;
    freeMemory(plain);
    freeMemory(opened);
  }
  return true;
}

let scratch = Buffer.alloc(0);

/** Memory that each task of this thread uses anew. */
function scratchOf(sizeBytes: number): Buffer {
  if (scratch.length < sizeBytes) scratch = Buffer.allocUnsafeSlow(sizeBytes);
  return scratch;
}

/** Undefined where the tag is wrong; why is then found out block by block. */
function tryOpen(open: () => Buffer): Buffer | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'archive.damaged') return undefined;
    throw error;
  }
}
