import { headerLength } from '../archive/header.ts';
import { BlockStore } from '../archive/heal/block-store.ts';
import { type SweepResult, sweep } from '../archive/heal/sweep.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { checkedArchiveId, locationLabel, type WritableLocation, withSources, writableLocation } from './location.ts';
import type { RepairOptions, RepairReport } from './options.ts';
import { rewriteArchive } from './rewrite.ts';
import { ProgressMeter, withWorkers } from './run.ts';
import { archiveIdHex, blockHealth, stateOf } from './summary.ts';

/** Where the healed archive goes. */
function outputOf(options: RepairOptions): WritableLocation {
  if (options.output !== undefined) return writableLocation(options.output);
  const { archive } = options;
  if (typeof archive === 'string' || 'storage' in archive) {
    if (options.archiveId === undefined) return writableLocation(archive);
    throw new HoldfastError('usage.invalid', {
      message: 'an archive that is one of several in a file is not repaired in place',
      hint: 'give --output',
    });
  }
  throw new HoldfastError('usage.invalid', {
    message: 'bytes at hand are not repaired in place',
    hint: 'give an output',
  });
}

function refuseLost(swept: SweepResult): HoldfastError {
  const ranges = swept.lostRanges
    .slice(0, 8)
    .map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
  return new HoldfastError('archive.damaged', {
    message: `the archive is damaged beyond repair: ${swept.tally.lost} block(s) are lost (${ranges.join(', ')})`,
    hint: 'give further replicas with --from, or keep what can be had with --partial',
    context: { lostBlocks: swept.lostRanges },
  });
}

/**
 * Heals an archive: from its copies, its parity and, with `from`, further replicas, none of which need be whole. The healed archive is
 * written aside, checked, and put in place by one rename. No key is needed. An intact archive is left alone unless `output` is given.
 *
 * Throws `archive.damaged` (unless `partial`), `archive.not_an_archive`, `archive.version_unsupported`, `archive.ambiguous`, `storage.full`,
 * `storage.read_only`, `archive.verify_failed`, `operation.interrupted`.
 *
 * @example
 * await repairArchive({ archive: 'shop.holdfast', from: ['/mnt/other/shop.holdfast'] });
 */
export async function repairArchive(options: RepairOptions): Promise<RepairReport> {
  const archiveId = checkedArchiveId(options.archiveId);
  const output = outputOf(options);
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const meter = new ProgressMeter(options);
  return await withSources([options.archive, ...(options.from ?? [])], (sources) =>
    withWorkers(options, async (workers) => {
      const { signal } = options;
      const report = (doneBytes: number, totalBytes: number) => meter.report({ phase: 'scan', doneBytes, totalBytes });
      const store = await BlockStore.open({ sources, workers, archiveId, signal, onScan: report });
      const swept = await sweep({ store, workers, onProgress: report });
      const state = stateOf(swept, store.inPlace);
      if (state === 'lost' && options.partial !== true) throw refuseLost(swept);
      const wanted = options.output !== undefined || state !== 'intact';
      const written = wanted && options.dryRun !== true;
      if (written) {
        const header = store.headerBody.subarray(0, headerLength(store.headerBody));
        const allowLost = options.partial === true;
        await rewriteArchive({ store, workers, header, output, allowLost, run: options });
      }
      return {
        output: options.output ?? locationLabel(options.archive),
        archiveId: archiveIdHex(store.header),
        state: state === 'repairable' ? 'repaired' : state,
        written,
        blocks: blockHealth(swept),
        lostBlocks: swept.lostRanges,
        durationMs: clock.monotonicMs() - startMs,
      };
    }),
  );
}
