import { basename } from 'node:path';
import { headerLength } from '../archive/header.ts';
import { BlockStore } from '../archive/heal/block-store.ts';
import { blockSizeBytes } from '../archive/heal/geometry.ts';
import type { LocateOptions } from '../archive/heal/locate.ts';
import { type SweepResult, sweep } from '../archive/heal/sweep.ts';
import type { RandomAccess } from '../archive/random-access.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { isShardName } from '../storage/spread/shard-name.ts';
import { checkedArchiveId, locationLabel, type WritableLocation, withSources, writableLocation } from './location.ts';
import type { BlockHealth, RepairOptions, RepairReport } from './options.ts';
import { endlessArchive, rewriteArchive } from './rewrite.ts';
import { ProgressMeter, withWorkers } from './run.ts';
import { isWhole, rebuildShards, spreadHealth } from './spread-health.ts';
import { archiveIdHex, blockHealth, stateOf } from './summary.ts';

/** Between copies there may be filler, of about this size where storages want large parts. */
const fillerLimitBytes = 8 * 1024 * 1024;

/** Where the healed archive goes. */
function outputOf(options: RepairOptions): WritableLocation {
  if (options.output !== undefined) return writableLocation(options.output);
  const { archive } = options;
  if (typeof archive === 'string' || 'storage' in archive) {
    if (typeof archive === 'string' && isShardName(basename(archive))) {
      throw new HoldfastError('usage.invalid', {
        message: 'a shard is not repaired by itself',
        hint: 'give --output for the whole archive, or let `holdfast scrub` mend the shards on their storages',
      });
    }
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

/** A file that is mostly something else is an image in which the archive lies: in place, all else in it would be lost. */
function refuseImage(store: BlockStore): void {
  const { copies } = store.header;
  const archiveBytes = copies * store.layout.totalBlocks * blockSizeBytes;
  if (store.sizeBytes <= 2 * archiveBytes + copies * fillerLimitBytes) return;
  throw new HoldfastError('usage.invalid', {
    message: 'the archive is a small part of this file, which is not overwritten with it',
    hint: 'give --output',
  });
}

/** The health of the archive without its replicas. */
async function lookAlone(
  sources: readonly RandomAccess[],
  locate: Omit<LocateOptions, 'sources'>,
  options: RepairOptions,
): Promise<{ readonly blocks: BlockHealth | undefined; readonly state: 'intact' | 'repairable' }> {
  try {
    const store = await BlockStore.open({ ...locate, sources });
    const swept = await sweep({ store });
    return { blocks: blockHealth(swept), state: stateOf(swept, store.inPlace) === 'intact' ? 'intact' : 'repairable' };
  } catch (error) {
    if (!(error instanceof HoldfastError) || !error.code.startsWith('archive.')) throw error;
    if (error.code !== 'archive.not_an_archive' || options.output !== undefined) {
      return { blocks: undefined, state: 'repairable' };
    }
    // It may be any file at all, named by mistake: it is not overwritten with an archive.
    throw new HoldfastError(error.code, { hint: 'to write what the replicas hold, give --output', cause: error });
  }
}

/**
 * Heals an archive: from its copies, its parity and, with `from`, further replicas, none of which need be whole. The healed archive is
 * written aside, checked, and put in place by one rename. No key is needed. An intact archive is left alone unless `output` is given; of one that is
 * spread over storages, shards that are missing or damaged are made anew.
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
      const locate = { workers, archiveId, signal, onScan: report };
      // Whether the archive needs repair is for it alone to tell: together with a whole replica nothing seems to be missing.
      const own = sources.length > 1 ? await lookAlone(sources.slice(0, 1), locate, options) : undefined;
      const store = await BlockStore.open({ ...locate, sources });
      if (!(await store.knowsLength())) throw endlessArchive();
      const swept = await sweep({ store, onProgress: report });
      const { solved, lost } = swept.tally;
      const blocks: BlockHealth = { ...(own?.blocks ?? blockHealth(swept)), solved, lost };
      const ownState = own === undefined || lost > 0 ? stateOf(swept, store.inPlace) : own.state;
      const spread =
        options.output === undefined && ownState === 'intact' ? await spreadHealth(sources[0], signal) : undefined;
      const lacking = spread === undefined || isWhole(spread) ? undefined : spread;
      const state = lacking === undefined ? ownState : 'repairable';
      if (state === 'lost' && options.partial !== true) throw refuseLost(swept);
      if (options.output === undefined && state !== 'intact') refuseImage(store);
      const wanted = options.output !== undefined || state !== 'intact';
      const written = wanted && options.dryRun !== true;
      if (written && lacking !== undefined) await rebuildShards(output, lacking, options);
      else if (written) {
        const header = store.headerBody.subarray(0, headerLength(store.headerBody));
        const allowLost = options.partial === true;
        await rewriteArchive({ store, workers, header, output, allowLost, run: options });
      }
      return {
        output: options.output ?? locationLabel(options.archive),
        archiveId: archiveIdHex(store.header),
        state: state === 'repairable' ? 'repaired' : state,
        written,
        blocks,
        lostBlocks: swept.lostRanges,
        durationMs: Math.round(clock.monotonicMs() - startMs),
      };
    }),
  );
}
