import { asBuffer } from '../../bytes.ts';
import type { SolveResult, SolveTask, WorkerSetup } from '../worker/protocol.ts';
import { expectedFrame, isIntactBlock, isIntactDataBody } from './block.ts';
import { blockSizeBytes, bodySizeBytes, frameSizeBytes, type Layout, payloadSizeBytes } from './geometry.ts';
import { decodeStripe, type StripeCandidates } from './stripe-decoder.ts';

/** The `solve` task: gives back the data blocks of a stripe that are intact in no reading. Runs in worker threads. */
export function solveStripe(task: SolveTask, setup: WorkerSetup, layout: Layout): SolveResult {
  const bytes = asBuffer(task.blocks);
  const count = task.positions.length;
  const candidates = task.positions.map((position, index): StripeCandidates => {
    const expected = expectedFrame(layout, position);
    const damaged: Uint8Array[] = [];
    for (let layer = 0; layer < task.layers; layer++) {
      const slot = layer * count + index;
      if (task.present[slot] !== 1) continue;
      const block = bytes.subarray(slot * blockSizeBytes, (slot + 1) * blockSizeBytes);
      const body = block.subarray(frameSizeBytes, frameSizeBytes + bodySizeBytes);
      if (isIntactBlock(block, setup.archiveId, expected)) return { intact: body, damaged: [] };
      // A block of zeros was lost whole; as a candidate it would only cost time.
      if (!body.equals(blankBody)) damaged.push(body);
    }
    return { intact: undefined, damaged };
  });
  const result = decodeStripe({
    dataCount: task.dataCount,
    parityRows: task.parityRows,
    maximumParityRows: setup.shape.parityBlocks,
    candidates,
    matchesHash: (index, body) => isIntactDataBody(body, setup.archiveId, task.positions[index]!),
  });
  const solved: { index: number; payload: Uint8Array | undefined }[] = [];
  for (let index = 0; index < task.dataCount; index++) {
    if (candidates[index]?.intact !== undefined) continue;
    const body = result.data[index];
    solved.push({
      index,
      payload: body === undefined ? undefined : Uint8Array.from(body.subarray(0, payloadSizeBytes)),
    });
  }
  return { solved };
}

const blankBody = Buffer.alloc(bodySizeBytes);
