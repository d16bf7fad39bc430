import { findHeader, findWholeHeader } from '../archive/heal/locate.ts';
import { checkedArchiveId, withSources } from './location.ts';
import type {
  ArchiveEntry,
  ArchiveLocation,
  ArchiveSummary,
  BlockHealth,
  SpreadReport,
  ValidateOptions,
} from './options.ts';
import { withWorkers } from './run.ts';
import { isWhole, spreadHealth } from './spread-health.ts';
import { summarize, toArchiveEntry } from './summary.ts';
import { checkArchive } from './verify.ts';

/** What {@link inspectArchive} tells. */
export interface ArchiveInspection {
  readonly summary: ArchiveSummary;
  readonly sizeBytes: number;
  readonly state: 'intact' | 'repairable' | 'lost';
  /** Absent where the key was not given. */
  readonly entries?: readonly ArchiveEntry[];
  readonly blocks: BlockHealth;
  /** Of an archive that is laid over several storages. */
  readonly spread?: SpreadReport;
  /** The health of each copy from its start to its end, up to 256 characters: `=` whole, `+` damaged, `#` holds what is lost. */
  readonly map: readonly { readonly copy: number; readonly cells: string }[];
}

/**
 * Reads the header of an archive and nothing else: quick, and without a key. What stands in it is not authenticated then.
 * Throws `storage.not_found`, `archive.not_an_archive`, `archive.version_unsupported`, `archive.corrupt`, `archive.ambiguous`.
 *
 * @example
 * const { createdMs, slots } = await summarizeArchive('shop.holdfast');
 */
export async function summarizeArchive(
  archive: ArchiveLocation,
): Promise<ArchiveSummary & { readonly sizeBytes: number }> {
  return await withSources([archive], async (sources) => {
    const sizeBytes = sources[0]?.sizeBytes ?? 0;
    const whole = await findWholeHeader(sources, undefined);
    if (whole !== undefined && whole !== 'several') return { ...summarize(whole.header), sizeBytes };
    // Worker threads are started only for an archive that is damaged, so that listing many is quick.
    return await withWorkers({}, async (workers) => {
      const { header } = await findHeader({ sources, workers });
      return { ...summarize(header), sizeBytes };
    });
  });
}

/**
 * Looks at an archive: header, key slots, the health of each block and, with a key, its entries.
 * Throws what {@link validateBackup} throws; without a key only the entries are missing.
 */
export async function inspectArchive(options: ValidateOptions): Promise<ArchiveInspection> {
  const archiveId = checkedArchiveId(options.archiveId);
  return await withSources([options.archive], (sources) =>
    withWorkers(options, async (workers) => {
      const { keys, onBlocks } = options;
      const checked = await checkArchive({
        sources,
        workers,
        run: options,
        level: 'structure',
        keys,
        archiveId,
        indexOnly: true,
        onBlocks,
      });
      const spread = await spreadHealth(sources[0], options.signal);
      const isDegraded = spread !== undefined && !isWhole(spread) && checked.state === 'intact';
      return {
        ...(spread && { spread }),
        summary: summarize(checked.header),
        sizeBytes: checked.sizeBytes,
        state: isDegraded ? 'repairable' : checked.state,
        ...(checked.indexRead ? { entries: checked.entries.map(toArchiveEntry) } : {}),
        blocks: checked.blocks,
        map: checked.map.map((cells, copy) => ({ copy, cells })),
      };
    }),
  );
}
