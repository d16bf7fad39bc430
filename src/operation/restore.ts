import { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { TargetChange } from '../source/target.ts';
import { chooseEntries } from './choose-entries.ts';
import { checkedArchiveId, withSources } from './location.ts';
import type { RestoreAction, RestoreOptions, RestoreReport } from './options.ts';
import { makeTargets, type TargetGroup } from './restore-targets.ts';
import { ProgressMeter, withWorkers } from './run.ts';
import { archiveIdHex, rowCount } from './summary.ts';

function sumBytes(entries: readonly IndexEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
}

function action(group: TargetGroup, change: TargetChange, entries: readonly IndexEntry[]): RestoreAction {
  return { kind: group.kind, ...change, entryCount: entries.length, sizeBytes: sumBytes(entries) };
}

/** Finds all entries that cannot be had, and names them. */
async function refuseDamaged(
  reader: ArchiveReader,
  entries: readonly IndexEntry[],
  cause: HoldfastError,
): Promise<HoldfastError> {
  const lost: string[] = [];
  for await (const failure of reader.check(entries)) lost.push(failure.entry.path);
  const shown = lost.slice(0, 5).join(', ');
  return new HoldfastError('archive.damaged', {
    message: `the archive is damaged beyond repair: ${lost.length} entries are lost (${shown}${lost.length > 5 ? ', …' : ''})`,
    context: { ...cause.context, lostEntries: lost },
    cause,
  });
}

interface Staged {
  readonly group: TargetGroup;
  readonly entries: IndexEntry[];
}

/** Stages every entry, in the order in which they lie in the archive; with `partial`, those that can be had. */
async function stageAll(
  reader: ArchiveReader,
  groups: readonly TargetGroup[],
  options: RestoreOptions,
): Promise<{ staged: Staged[]; lost: string[] }> {
  const meter = new ProgressMeter(options);
  const groupOf = new Map(groups.flatMap((group) => group.entries.map((entry) => [entry, group] as const)));
  const entries = [...groupOf.keys()].sort((a, b) => (a.runs[0]?.segment ?? -1) - (b.runs[0]?.segment ?? -1));
  const totalBytes = sumBytes(entries);
  const segments = reader.segmentsFor(entries);
  const staged = new Map<TargetGroup, Staged>();
  const lost: string[] = [];
  let doneBytes = 0;
  for (const entry of entries) {
    const group = groupOf.get(entry) as TargetGroup;
    const bytes = async function* () {
      for await (const chunk of reader.read(entry, segments)) {
        yield chunk;
        doneBytes += chunk.length;
        meter.report({ phase: 'restore', doneBytes, totalBytes, entry: entry.path });
      }
    };
    try {
      await group.target.stage(entry, bytes());
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'archive.damaged') throw error;
      if (options.partial !== true) throw await refuseDamaged(reader, entries, error);
      lost.push(entry.path);
      continue;
    }
    const known = staged.get(group) ?? { group, entries: [] };
    known.entries.push(entry);
    staged.set(group, known);
  }
  return { staged: [...staged.values()], lost };
}

async function restore(reader: ArchiveReader, options: RestoreOptions): Promise<Omit<RestoreReport, 'durationMs'>> {
  const all: IndexEntry[] = [];
  for await (const entry of reader.entries()) all.push(entry);
  const chosen = chooseEntries(all, options.only);
  const groups = makeTargets(all, chosen, options);
  const dryRun = options.dryRun === true;
  const planned = [];
  for (const group of groups) planned.push(action(group, await group.target.plan(group.entries), group.entries));
  const common = { archiveId: archiveIdHex(reader.header), dryRun };
  const totals = (entries: readonly IndexEntry[]) => ({
    entryCount: entries.length,
    sizeBytes: sumBytes(entries),
    rowCount: entries.reduce((sum, entry) => sum + rowCount(entry), 0),
  });
  const used = () => ({ readBytes: reader.store.readBytes, healedBlocks: reader.store.healed.size });
  if (dryRun) return { ...common, actions: planned, ...totals(chosen), ...used(), lostEntries: [] };
  try {
    const { staged, lost } = await stageAll(reader, groups, options);
    const actions: RestoreAction[] = [];
    for (const { group, entries } of staged) actions.push(action(group, await group.target.commit(), entries));
    return { ...common, actions, ...totals(staged.flatMap(({ entries }) => entries)), ...used(), lostEntries: lost };
  } catch (error) {
    for (const group of groups) await group.target.abort();
    throw error;
  }
}

/**
 * Restores an archive, or chosen entries of it, reading only the blocks that these need. Everything is staged aside and checked first;
 * then each target is put in place at once. What is replaced is kept beside it unless `keepUndo` is false.
 *
 * Throws `archive.damaged` (naming all entries that are lost; nothing is written unless `partial`), `archive.corrupt`, `archive.entry_not_found`,
 * `key.missing`, `key.wrong`, `target.exists`, `target.unsafe`, `target.busy`, `target.invalid`, `storage.full`, `operation.interrupted`, and what
 * opening throws.
 *
 * @example
 * await restoreBackup({
 *   archive: 'shop.holdfast',
 *   keys: { passphrases: [passphrase] },
 *   to: ['sqlite:copy.db'],
 *   filesTo: 'out',
 * });
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreReport> {
  const archiveId = checkedArchiveId(options.archiveId);
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  return await withSources([options.archive, ...(options.from ?? [])], (sources) =>
    withWorkers(options, async (workers) => {
      const { keys, signal } = options;
      const reader = await ArchiveReader.open({ sources, workers, keys, archiveId, signal });
      return { ...(await restore(reader, options)), durationMs: clock.monotonicMs() - startMs };
    }),
  );
}
