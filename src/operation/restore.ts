import { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { TargetChange } from '../source/target.ts';
import { chooseEntries } from './choose-entries.ts';
import { checkedArchiveId, withSources } from './location.ts';
import type { RestoreAction, RestoreOptions, RestoreReport } from './options.ts';
import { isNote } from './previous-archive.ts';
import { type Chosen, makeTargets, type TargetGroup } from './restore-targets.ts';
import { failAfter, ProgressMeter, withWorkers } from './run.ts';
import { stageEntries } from './stage-entries.ts';
import { archiveIdHex, rowCount } from './summary.ts';

function sumBytes(entries: readonly IndexEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
}

function action(group: TargetGroup, change: TargetChange, entries: readonly IndexEntry[]): RestoreAction {
  return { kind: group.kind, ...change, entryCount: entries.length, sizeBytes: sumBytes(entries) };
}

/** Where rows are chosen, what was chosen is known when it is done. */
function countsOfRows(actions: readonly RestoreAction[]): Pick<RestoreReport, 'entryCount' | 'sizeBytes' | 'rowCount'> {
  const sum = (numberOf: (one: RestoreAction) => number) => actions.reduce((total, one) => total + numberOf(one), 0);
  return {
    entryCount: sum(({ entryCount }) => entryCount),
    sizeBytes: sum(({ sizeBytes }) => sizeBytes),
    rowCount: sum(({ models = [] }) =>
      models.reduce((total, { inserted, updated, skipped }) => total + inserted + updated + skipped, 0),
    ),
  };
}

function refuseDamaged(lost: readonly IndexEntry[], cause: HoldfastError): HoldfastError {
  const paths = lost.map(({ path }) => path);
  const shown = paths.slice(0, 5).join(', ') + (paths.length > 5 ? ', …' : '');
  return new HoldfastError('archive.damaged', {
    message: `the archive is damaged beyond repair: ${paths.length} ${paths.length === 1 ? 'entry is' : 'entries are'} lost (${shown})`,
    context: { ...cause.context, lostEntries: paths },
    cause,
  });
}

/** All entries of these that cannot be had. */
async function findLost(
  reader: ArchiveReader,
  entries: readonly IndexEntry[],
  meter: ProgressMeter,
): Promise<IndexEntry[]> {
  const lost: IndexEntry[] = [];
  const totalBytes = sumBytes(entries);
  let doneBytes = 0;
  const onBytes = (entry: IndexEntry, bytes: number) => {
    doneBytes += bytes;
    meter.report({ phase: 'verify', doneBytes, totalBytes, entry: entry.path });
  };
  for (const failure of await reader.check(entries, onBytes)) {
    // Whole blocks that contradict themselves are no damage: such an archive is not trusted with anything.
    if (failure.error.code === 'archive.corrupt') throw failure.error;
    lost.push(failure.entry);
  }
  return lost;
}

/** Puts one target after the other in place. A failure after the first tells what stands already. */
async function commitAll(groups: readonly TargetGroup[]): Promise<RestoreAction[]> {
  const actions: RestoreAction[] = [];
  for (const group of groups) {
    try {
      actions.push(action(group, await group.target.commit(), group.entries));
    } catch (error) {
      if (actions.length === 0 || !(error instanceof HoldfastError)) throw error;
      const done = actions.map(({ target, undo }) => (undo === undefined ? target : `${target} (before: ${undo})`));
      throw new HoldfastError(error.code, {
        message: `${error.message}; restored already: ${done.join(', ')}`,
        hint: error.hint,
        context: { ...error.context, restored: actions },
        cause: error,
      });
    }
  }
  return actions;
}

/** How entries are restored in one go. */
export interface Attempt {
  readonly reader: ArchiveReader;
  readonly all: readonly IndexEntry[];
  readonly chosen: readonly IndexEntry[];
  /** Where only tables of an entry are restored, which. */
  readonly tables: ReadonlyMap<IndexEntry, readonly string[]>;
  /** Folders that trees go to, by their paths in the archive, whatever the options say. */
  readonly places?: ReadonlyMap<string, string>;
  readonly options: RestoreOptions;
  readonly meter: ProgressMeter;
}

/** Restores all chosen entries but those that are lost, or nothing and leaves nothing. */
export async function restoreEntries(attempt: Attempt, lost: ReadonlySet<IndexEntry>): Promise<RestoreAction[]> {
  const { reader, all, chosen, tables, places, options } = attempt;
  const own = { lost, ...readsOf(reader), secret: secretOf(reader, all) };
  const groups = await makeTargets({ all, entries: chosen, tables, ...own, ...(places && { places }) }, options);
  try {
    for (const group of groups) await group.target.plan(group.entries);
    await stageEntries({ reader, groups, meter: attempt.meter, signal: options.signal });
    throwIfAborted(options.signal);
    return await commitAll(groups);
  } catch (error) {
    return await failAfter(
      error,
      groups.map(
        ({ target }) =>
          () =>
            target.abort(),
      ),
    );
  }
}

/** Says what would be done; what can be done and taken back is, so that its counts are true. */
async function rehearse({ reader, all, chosen, tables, options, meter }: Attempt): Promise<RestoreAction[]> {
  const groups = await makeTargets(
    { all, entries: chosen, tables, ...readsOf(reader), secret: secretOf(reader, all) },
    options,
  );
  const planned: RestoreAction[] = [];
  try {
    for (const group of groups) {
      const { target } = group;
      let change = await target.plan(group.entries);
      if (target.rehearse !== undefined) {
        const entries = group.entries.filter((entry) => target.isRehearsed?.(entry) !== false);
        await stageEntries({ reader, groups: [{ ...group, entries }], meter, signal: options.signal });
        change = await target.rehearse();
      }
      planned.push(action(group, change, group.entries));
    }
    return planned;
  } catch (error) {
    return await failAfter(
      error,
      groups.map(
        ({ target }) =>
          () =>
            target.abort(),
      ),
    );
  }
}

/** Reads entries that say how others are restored: into memory, or piece by piece. */
function readsOf(reader: ArchiveReader): Pick<Chosen, 'read' | 'open'> {
  const read = async (entry: IndexEntry) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader.read(entry)) chunks.push(Uint8Array.from(chunk));
    return Buffer.concat(chunks);
  };
  return { read, open: (entry) => reader.read(entry) };
}

/** The data key; where the archive has none, what its contents are is known to nobody else. */
function secretOf({ dataKey, header }: ArchiveReader, all: readonly IndexEntry[]): Uint8Array {
  if (dataKey !== undefined) return dataKey;
  return Buffer.concat([header.archiveId, ...all.map(({ sha256 }) => Buffer.from(sha256, 'hex'))]);
}

async function restore(reader: ArchiveReader, options: RestoreOptions): Promise<Omit<RestoreReport, 'durationMs'>> {
  const all: IndexEntry[] = [];
  for await (const entry of reader.entries()) if (!isNote(entry)) all.push(entry);
  const { entries: chosen, tables } = chooseEntries(all, options.only);
  const dryRun = options.dryRun === true;
  const countsOf = (actions: readonly RestoreAction[], entries: readonly IndexEntry[]) => {
    if (options.models?.row !== undefined) return countsOfRows(actions);
    const rows = entries.reduce((sum, entry) => sum + rowCount(entry, tables.get(entry)), 0);
    return { entryCount: entries.length, sizeBytes: sumBytes(entries), rowCount: rows };
  };
  const report = (actions: readonly RestoreAction[], entries: readonly IndexEntry[], lost: readonly IndexEntry[]) => ({
    archiveId: archiveIdHex(reader.header),
    dryRun,
    actions,
    ...countsOf(actions, entries),
    readBytes: reader.store.readBytes,
    healedBlocks: reader.store.healed.size,
    lostEntries: lost.map(({ path }) => path),
  });
  if (dryRun) {
    return report(
      await rehearse({ reader, all, chosen, tables, options, meter: new ProgressMeter(options) }),
      chosen,
      [],
    );
  }
  const attempt: Attempt = { reader, all, chosen, tables, options, meter: new ProgressMeter(options) };
  try {
    return report(await restoreEntries(attempt, new Set()), chosen, []);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'archive.damaged') throw error;
    const lost = new Set(await findLost(reader, chosen, attempt.meter));
    // A restore that gives nothing back is no success, not even in part.
    if (options.partial !== true || lost.size === chosen.length) throw refuseDamaged([...lost], error);
    const kept = chosen.filter((entry) => !lost.has(entry));
    return report(await restoreEntries(attempt, lost), kept, [...lost]);
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
  return await withSources(
    [options.archive, ...(options.from ?? [])],
    (sources) =>
      withWorkers(options, async (workers) => {
        const { keys, signal } = options;
        const reader = await ArchiveReader.open({ sources, workers, keys, archiveId, signal });
        return { ...(await restore(reader, options)), durationMs: Math.round(clock.monotonicMs() - startMs) };
      }),
    'bytes',
  );
}
