import assert from 'node:assert/strict';
import { asBuffer, copyBytes } from '../../bytes.ts';
import { HoldfastError } from '../../errors.ts';
import { expandSegment } from '../compress/codec.ts';
import { openSegment, segmentKind } from '../seal/segment-cipher.ts';
import { freeMemory } from '../worker/free-memory.ts';
import type { CheckResult, CheckTask, LoadResult, LoadTask, OpenTask, WorkerSetup } from '../worker/protocol.ts';
import { blockKind, expectedFrame } from './block.ts';
import { BlockChecker, type FrameRun } from './block-checker.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes, type Layout, payloadSizeBytes } from './geometry.ts';

/** Checking blocks against what the layout expects, and opening segments from them. Runs in worker threads. */

let threadChecker: BlockChecker | undefined;

function checker(): BlockChecker {
  threadChecker ??= new BlockChecker();
  return threadChecker;
}

/** What the layout expects at consecutive positions. */
function runsAt(layout: Layout, firstPosition: number, count: number): FrameRun[] {
  const runs: { frame: FrameRun['frame']; count: number }[] = [];
  for (let position = firstPosition; position < firstPosition + count; position++) {
    const frame = expectedFrame(layout, position);
    const last = runs.at(-1);
    const { kind, ordinal, bandDataBlocks } = frame;
    const isSame =
      last?.frame.kind === kind && last.frame.ordinal === ordinal && last.frame.bandDataBlocks === bandDataBlocks;
    if (isSame) last.count++;
    else runs.push({ frame, count: 1 });
  }
  return runs;
}

/** What it expects of data blocks, which lie at consecutive positions within a band. */
function dataRuns(layout: Layout, firstData: number, count: number): FrameRun[] {
  const runs: { frame: FrameRun['frame']; count: number }[] = [];
  for (let number = firstData; number < firstData + count; number++) {
    const position = layout.dataPosition(number);
    const last = runs.at(-1);
    if (last !== undefined && last.frame.position + last.count === position) last.count++;
    else runs.push({ frame: { position, bandDataBlocks: 0, kind: blockKind.data, ordinal: 0 }, count: 1 });
  }
  return runs;
}

function firstLayer(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function copyPayload(layer: Buffer | undefined, index: number, into: Buffer): void {
  assert(layer !== undefined, 'a block has no intact layer');
  const start = index * blockSizeBytes + frameSizeBytes;
  layer.copy(into, index * payloadSizeBytes, start, start + payloadSizeBytes);
}

/** The layers whose header is the archive's: one of another generation is whole, but it does not count any more. */
function currentHeaders(layers: readonly Uint8Array[], index: number, headerBody: Uint8Array): number {
  let bits = 0;
  for (const [number, layer] of layers.entries()) {
    const start = index * blockSizeBytes + frameSizeBytes;
    if (asBuffer(layer.subarray(start, start + bodySizeBytes)).equals(headerBody)) bits |= 1 << number;
  }
  return bits;
}

/** The `check` task. */
export function checkBlocks(task: CheckTask, archiveId: Uint8Array, layout: Layout): CheckResult {
  const layers = task.layers.map(asBuffer);
  const runs = runsAt(layout, task.firstPosition, task.count);
  const intact = checker().checkLayers(layers, archiveId, runs);
  const payloads = task.payloads === undefined ? undefined : asBuffer(task.payloads);
  let index = 0;
  for (const { frame, count } of runs) {
    const isHeader = frame.kind === blockKind.header || frame.kind === blockKind.final;
    for (const end = index + count; index < end; index++) {
      const bits = intact[index]!;
      if (isHeader) intact[index] = bits & currentHeaders(layers, index, task.headerBody);
      else if (bits !== 0 && payloads !== undefined && frame.kind === blockKind.data) {
        copyPayload(layers[firstLayer(bits)], index, payloads);
      }
    }
  }
  return { intact };
}

/** Payloads of a layer as they stand. */
function plainPayloads(layer: Uint8Array, count: number, payloads: Buffer): void {
  const blocks = asBuffer(layer);
  for (let index = 0; index < count; index++) copyPayload(blocks, index, payloads);
}

/** Payloads of intact blocks and of patches; gives the indexes that have neither. */
function gatherPayloads(task: LoadTask, setup: WorkerSetup, layout: Layout, payloads: Buffer): number[] {
  const layers = task.layers.map(asBuffer);
  const missing: number[] = [];
  const patches = new Map(task.patches.map((patch) => [patch.index, patch.payload]));
  const intact = checker().checkLayers(layers, setup.archiveId, dataRuns(layout, task.firstData, task.count));
  for (const [index, bits] of intact.entries()) {
    const patch = patches.get(index);
    if (bits !== 0) copyPayload(layers[firstLayer(bits)], index, payloads);
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
    plainPayloads(first, task.count, payloads);
    opened = tryOpen(open);
  }
  if (opened === undefined) {
    const missing = gatherPayloads(task, setup, layout, payloads);
    if (missing.length > 0) return { missing, plainLength: 0 };
    opened = open();
  }
  const plain = task.compressed ? expandSegment(codec, opened, task.maximumPlainBytes) : opened;
  copyBytes(plain, task.into, 0);
  const plainLength = plain.length;
  freeMemory(plain);
  freeMemory(opened);
  return { missing: [], plainLength };
}

/** Whether all blocks of all layers are intact. */
function areIntact(layers: readonly Uint8Array[], archiveId: Uint8Array, runs: readonly FrameRun[]): boolean {
  const all = 2 ** layers.length - 1;
  return checker()
    .checkLayers(layers, archiveId, runs)
    .every((bits) => bits === all);
}

/** The `open` task: the way of an archive that is whole. */
export function openSegments(task: OpenTask, setup: WorkerSetup, layout: Layout): boolean {
  const { seal, codec } = setup;
  const [first] = task.layers;
  assert(seal !== undefined && first !== undefined, 'the worker has no key or no blocks');
  const { firstData, count } = task;
  if (task.checkBlocks && !areIntact(task.layers, setup.archiveId, dataRuns(layout, firstData, count))) return false;
  const payloads = scratchOf(count * payloadSizeBytes);
  plainPayloads(first, count, payloads);
  let end = 0;
  for (const { number, offset, length, plainLength } of task.segments) {
    const bytes = payloads.subarray(offset, offset + length);
    const opened = tryOpen(() => openSegment(seal, { number, kind: segmentKind.data, bytes }));
    if (opened === undefined) return false;
    const plain = expandSegment(codec, opened, plainLength);
    if (plain.length !== plainLength) return false;
    copyBytes(plain, task.into, end);
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
