import assert from 'node:assert/strict';
import { ArchiveReader } from '../archive/archive-reader.ts';
import type { IndexEntry } from '../archive/entry/entry.ts';
import type { Header } from '../archive/header.ts';
import { BlockStore } from '../archive/heal/block-store.ts';
import { blockSizeBytes, type Layout } from '../archive/heal/geometry.ts';
import { type BlockTally, drawProven, sweep } from '../archive/heal/sweep.ts';
import type { RandomAccess, ReadBack } from '../archive/random-access.ts';
import { hasKeys, type UnlockKeys } from '../archive/unlock.ts';
import type { WorkerPool } from '../archive/worker/worker-pool.ts';
import type { WrittenCheck } from '../archive/written-check.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { BlockWatch } from './block-watch.ts';
import { checkedArchiveId, withSources } from './location.ts';
import type { RunOptions, ValidateOptions, ValidationReport } from './options.ts';
import { ProgressMeter, withWorkers } from './run.ts';
import { isWhole, spreadHealth } from './spread-health.ts';
import { archiveIdHex, blockHealth, stateOf } from './summary.ts';

/** Entries whose contents are checked in one go. */
const checkedTogether = 20_000;

/** What a check of opened sources found. */
export interface CheckedArchive extends ValidationReport {
  /** Drawn as `ArchiveInspection.map`. */
  readonly map: readonly string[];
  readonly header: Header;
  /** Whether the index could be read; false also where there was no key. */
  readonly indexRead: boolean;
  /** Bytes of all entries, as the index has them; 0 where it was not read. */
  readonly plainBytes: number;
  /** Where `indexOnly` was asked for; there may be millions. */
  readonly entries: readonly IndexEntry[];
}

/** How a check is done; shared by `verify`, `inspect` and the check after a backup. */
export interface CheckOptions {
  readonly sources: readonly RandomAccess[];
  readonly workers: WorkerPool;
  readonly run: RunOptions;
  readonly level: ValidationReport['level'] | undefined;
  readonly keys: UnlockKeys | undefined;
  readonly archiveId?: string | undefined;
  /** What a backup has checked of the contents already, while it wrote them. */
  readonly written?: WrittenCheck | undefined;
  /** Reads the index, but no contents. */
  readonly indexOnly?: boolean;
  /** Told what was found of the blocks while they are read. */
  readonly onBlocks?: ValidateOptions['onBlocks'] | undefined;
}

/** Checks every block, and at level `contents` every entry. A wrong key is found before any bulk work. */
export async function checkArchive(options: CheckOptions): Promise<CheckedArchive> {
  const { sources, workers, run, keys } = options;
  const clock = run.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const meter = new ProgressMeter(run);
  const locateOptions = {
    sources,
    workers,
    archiveId: options.archiveId,
    signal: run.signal,
    onScan: (doneBytes: number, totalBytes: number) => meter.report({ phase: 'scan', doneBytes, totalBytes }),
  };
  const store = await BlockStore.open(locateOptions);
  const canOpen = store.header.cipher === 'none' || hasKeys(keys) || keys?.dataKey !== undefined;
  const level = options.level ?? (canOpen ? 'contents' : 'structure');
  const wantsIndex = level === 'contents' || (options.indexOnly === true && canOpen);
  const { reader, indexLost } = wantsIndex ? await readIndex(store, { ...locateOptions, keys }) : {};
  const contents = options.indexOnly === true ? undefined : reader;
  const entries = contents === undefined ? await entriesOf(reader) : [];
  const progress = joinProgress(meter, contents === undefined ? 'scan' : 'verify', {
    copies: store.header.copies,
    layout: store.layout,
    contentBytes: contents?.index.tail.plainBytes ?? 0,
  });
  const isEndless = reader === undefined && !(await store.knowsLength());
  const watch = new BlockWatch(store, { clock, onBlocks: options.onBlocks });
  // Blocks that hold contents which are whole are proven on the way; the sweep reads what is left.
  let lostEntries: string[] = [];
  if (contents !== undefined && options.written !== undefined) {
    const readBack = readBackOf(sources[0], store.header.copies);
    await options.written.finish(readBack, contents.index, contents.entries());
    store.addProven(options.written.provenBlocks);
  } else if (contents !== undefined) {
    lostEntries = await lostPaths(contents, (entry, bytes) => {
      progress.onContents(entry, bytes);
      watch.step((cells) => drawProven(store, cells));
    });
  }
  const onSwept = (doneBytes: number, _total: number, tally: BlockTally) => {
    progress.onBlocks(doneBytes);
    watch.step(() => undefined, tally);
  };
  const swept = await sweep({ store, cells: watch.cells, onProgress: onSwept });
  watch.end(swept.tally);
  const state = stateOf(swept, store.inPlace);
  return {
    state: lostEntries.length > 0 || indexLost !== undefined || isEndless ? 'lost' : state,
    level,
    archiveId: archiveIdHex(store.header),
    sizeBytes: store.sizeBytes,
    blocks: blockHealth(swept),
    entryCount: level === 'contents' ? (reader?.index.tail.entryCount ?? 0) - lostEntries.length : 0,
    lostEntries,
    lostBlocks: swept.lostRanges,
    durationMs: Math.round(clock.monotonicMs() - startMs),
    map: swept.map,
    header: store.header,
    indexRead: reader !== undefined,
    plainBytes: reader?.index.tail.plainBytes ?? 0,
    entries,
  };
}

/** An index that is damaged beyond repair is lost, which is a result. */
async function readIndex(
  store: BlockStore,
  options: Parameters<typeof ArchiveReader.from>[1],
): Promise<{ readonly reader?: ArchiveReader; readonly indexLost?: HoldfastError }> {
  try {
    return { reader: await ArchiveReader.from(store, options) };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'archive.damaged') throw error;
    return { indexLost: error };
  }
}

/** Reads the copies of an archive that is complete and in place. */
function readBackOf(source: RandomAccess | undefined, copies: number): ReadBack {
  assert(source !== undefined, 'there is a source');
  const writtenBytes = source.sizeBytes / copies;
  return {
    writtenBytes,
    isKept: true,
    read: async (copy, offset, into) => (await source.read(copy * writtenBytes + offset, into)) === into.length,
  };
}

/** One progress, in bytes of the archive, for the check of the contents and that of the blocks that are left. */
function joinProgress(
  meter: ProgressMeter,
  phase: 'scan' | 'verify',
  sizes: { readonly copies: number; readonly layout: Layout; readonly contentBytes: number },
) {
  const { layout, copies, contentBytes } = sizes;
  const totalBytes = layout.totalBlocks * blockSizeBytes * copies;
  const dataBytes = layout.totalDataBlocks * blockSizeBytes * copies;
  let doneBytes = 0;
  let contentsDone = 0;
  return {
    onBlocks: (done: number) => {
      doneBytes = Math.max(doneBytes, done);
      meter.report({ phase, doneBytes, totalBytes });
    },
    onContents: (entry: IndexEntry, bytes: number) => {
      contentsDone += bytes;
      doneBytes = Math.floor((contentsDone / contentBytes) * dataBytes);
      meter.report({ phase, doneBytes, totalBytes, entry: entry.path });
    },
  };
}

async function entriesOf(reader: ArchiveReader | undefined): Promise<IndexEntry[]> {
  const entries: IndexEntry[] = [];
  if (reader !== undefined) for await (const entry of reader.entries()) entries.push(entry);
  return entries;
}

/** Checks all entries, some thousands at a time: they are not held all at once. */
async function lostPaths(
  reader: ArchiveReader,
  onBytes: (entry: IndexEntry, bytes: number) => void,
): Promise<string[]> {
  const lost: string[] = [];
  const check = async (entries: readonly IndexEntry[]): Promise<void> => {
    for (const failure of await reader.check(entries, onBytes)) {
      // Whole blocks that do not authenticate are not damage, they are a lie: that is its own error.
      if (failure.error.code === 'archive.corrupt') throw failure.error;
      lost.push(failure.entry.path);
    }
  };
  let some: IndexEntry[] = [];
  for await (const entry of reader.entries()) {
    some.push(entry);
    if (some.length < checkedTogether) continue;
    await check(some);
    some = [];
  }
  await check(some);
  return lost;
}

/**
 * Checks an archive without changing it. Level `structure` needs no key: every block of every copy is read and hashed, and what is
 * intact nowhere is solved from parity. Level `contents` also opens every entry and compares its SHA-256.
 *
 * Damage is a result, not an error. Throws `storage.not_found`, `archive.not_an_archive`, `archive.version_unsupported`, `archive.ambiguous`,
 * `archive.corrupt` (it contradicts itself although its blocks are whole), `key.missing`, `key.wrong`, `operation.interrupted`.
 *
 * @example
 * const report = await validateBackup({ archive: 'shop.holdfast' });
 * if (report.state === 'repairable') await repairArchive({ archive: 'shop.holdfast' });
 */
export async function validateBackup(options: ValidateOptions): Promise<ValidationReport> {
  const archiveId = checkedArchiveId(options.archiveId);
  return await withSources([options.archive], (sources) =>
    withWorkers(options, async (workers) => {
      const { level, keys, onBlocks } = options;
      const checked = await checkArchive({ sources, workers, run: options, level, keys, archiveId, onBlocks });
      const {
        map: _map,
        entries: _entries,
        header: _header,
        indexRead: _indexRead,
        plainBytes: _bytes,
        ...report
      } = checked;
      const spread = await spreadHealth(sources[0], options.signal);
      if (spread === undefined) return report;
      const state = report.state === 'intact' && !isWhole(spread) ? 'repairable' : report.state;
      return { ...report, state, spread };
    }),
  );
}
