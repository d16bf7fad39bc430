import type { BlockStore } from '../archive/heal/block-store.ts';
import { BlockWriter } from '../archive/heal/block-writer.ts';
import { blockSizeBytes, payloadSizeBytes } from '../archive/heal/geometry.ts';
import { sweep } from '../archive/heal/sweep.ts';
import type { WorkerPool } from '../archive/worker/worker-pool.ts';
import { HoldfastError } from '../errors.ts';
import type { StoredObject } from '../storage/storage.ts';
import { checkParts } from './check-parts.ts';
import type { WritableLocation } from './location.ts';
import type { Progress, RunOptions } from './options.ts';
import { failAfter, ProgressMeter } from './run.ts';
import { checkArchive } from './verify.ts';

export interface RewriteOptions {
  readonly store: BlockStore;
  readonly workers: WorkerPool;
  /** The header that the new archive carries; the payload stays byte for byte. */
  readonly header: Uint8Array;
  readonly output: WritableLocation;
  /** Blocks that are lost stay lost in the new archive, instead of ending the run. */
  readonly allowLost: boolean;
  readonly run: RunOptions;
}

/** Nobody knows how long the archive was: one that is written by the size of the file would be shorter, look whole, and take the place of what is left. */
export function endlessArchive(): HoldfastError {
  return new HoldfastError('archive.damaged', {
    message: 'the archive is damaged beyond repair: nothing of its end is left, which tells how long it was',
    hint: 'give further replicas with `holdfast repair --from`; what is here stays as it is',
  });
}

/**
 * Writes an archive anew from its healed blocks, checks it, and puts it under its name. No key is needed.
 * Throws `archive.damaged`, `archive.verify_failed`, and what the storage throws; also when it stands there, and a storage that it is spread over failed.
 */
export async function rewriteArchive(options: RewriteOptions): Promise<StoredObject> {
  const { store, workers, header, output, run } = options;
  const { archiveId, copies, dataBlocks, parityBlocks } = store.header;
  if (!(await store.knowsLength())) throw endlessArchive();
  const meter = new ProgressMeter(run);
  const report = (phase: Progress['phase']) => (doneBytes: number, totalBytes: number) =>
    meter.report({ phase, doneBytes, totalBytes });
  const writer = await output.storage.writer(output.name, {
    copies,
    expectedSizeBytes: store.layout.totalBlocks * blockSizeBytes,
    onReplicate: report('write'),
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  });
  let stored: StoredObject;
  try {
    const shape = { dataBlocks, parityBlocks };
    const blocks = new BlockWriter({ workers, archiveId, shape, header, sink: (bytes) => writer.write(bytes) });
    const swept = await sweep({
      store,
      onProgress: report('repair'),
      onWindow: async ({ count, payloads, lost }) => {
        let next = 0;
        for (const index of lost) {
          if (!options.allowLost) throw new HoldfastError('archive.damaged');
          await blocks.append(payloads.subarray(next * payloadSizeBytes, index * payloadSizeBytes));
          await blocks.appendLost();
          next = index + 1;
        }
        await blocks.append(payloads.subarray(next * payloadSizeBytes, count * payloadSizeBytes));
      },
    });
    await blocks.finish();
    stored = await writer.commit(async (written) => {
      const { onProgress: _, ...quiet } = run;
      const checked = await checkArchive({
        sources: [written],
        workers,
        run: quiet,
        level: 'structure',
        keys: undefined,
      });
      const expected = swept.tally.lost === 0 ? 'intact' : 'lost';
      if (checked.state !== expected || checked.blocks.lost !== swept.tally.lost) {
        throw new HoldfastError('archive.verify_failed');
      }
    });
  } catch (error) {
    return await failAfter(error, [() => writer.abort()]);
  }
  checkParts(writer, output);
  return stored;
}
