import { systemClock } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { PlainDigest } from '../history/run-record.ts';
import { chooseSet } from '../storage/spread/shard-sets.ts';
import type { Storage } from '../storage/storage.ts';
import { errorReport } from './error-report.ts';
import { summarizeArchive } from './inspect.ts';
import type { WritableLocation } from './location.ts';
import { describeLostShards, lackingShardSets } from './lost-shards.ts';
import type { BlockHealth, BlockStep, OutputReport, RunOptions, SpreadReport } from './options.ts';
import { repairArchive } from './repair.ts';
import { PlainScrub } from './scrub-plain.ts';
import { rebuildShards } from './spread-health.ts';
import { listArchives } from './sync.ts';
import { transferArchive } from './transfer.ts';
import { validateBackup } from './verify.ts';

/** A storage and what it is called. */
export interface NamedStorage {
  readonly name: string;
  readonly storage: Storage;
}

/** What {@link scrubStorages} takes. */
export interface ScrubOptions extends RunOptions {
  /** They are taken for replicas of one another. */
  readonly storages: readonly NamedStorage[];
  /** Looks, and writes nothing. */
  readonly dryRun?: boolean;
  /** Whether an archive that a storage lacks is brought back from another; true unless set. */
  readonly restoreMissing?: boolean;
  /** What a plain dump was: `History.plainDigests` has it. Without it such a dump is read as far as that goes without a key. */
  readonly plainDigestOf?: (dump: {
    readonly url: string;
    readonly name: string;
  }) => Pick<PlainDigest, 'sha256' | 'isFromRebuild'> | undefined;
  /** Called before each archive is read. */
  readonly onArchive?: (storage: string, archive: string) => void;
  /** Told what was found of the blocks of each archive, also when one that was mended is read again; must not throw. */
  readonly onBlocks?: (step: BlockStep) => void;
}

/** What became of one archive on one storage. */
export interface ScrubbedArchive {
  readonly storage: string;
  readonly name: string;
  readonly format?: 'plain';
  /**
   * Of a plain dump: whether its bytes were compared with what was recorded when it was written. Where not, `intact` says that it is whole as far as that
   * can be told without a key.
   */
  readonly isCompared?: boolean;
  /** It was compared with what it was when the history was rebuilt, since what the backup wrote is not known. */
  readonly isComparedFromRebuild?: true;
  /** Hex; absent where nothing of it could be told. */
  readonly archiveId?: string;
  /**
   * `intact`; `repaired` in place, `restored` where it was missing, each read again afterwards; `repairable` and `missing`, in a dry run or
   * with the error that kept it so; `lost` beyond repair; `unreadable` for another reason, with its error.
   */
  readonly state: 'intact' | 'repaired' | 'restored' | 'repairable' | 'missing' | 'lost' | 'unreadable';
  /** As they were found. */
  readonly blocks?: BlockHealth;
  /** Of an archive that is laid over several storages: its shards, as they were found. */
  readonly spread?: SpreadReport;
  /** Storages whose replicas were needed. */
  readonly from?: readonly string[];
  readonly error?: NonNullable<OutputReport['error']>;
}

/** What {@link scrubStorages} found and did. */
export interface ScrubReport {
  readonly archives: readonly ScrubbedArchive[];
  /** Storages that could not be listed; nothing is known of what they hold. */
  readonly failedStorages: readonly { readonly storage: string; readonly error: NonNullable<OutputReport['error']> }[];
  readonly dryRun: boolean;
  readonly durationMs: number;
}

/** An archive on one storage as it was found. */
interface Found extends WritableLocation {
  readonly label: string;
  readonly archiveId: string | undefined;
  readonly state: 'intact' | 'repairable' | 'lost' | 'unreadable' | 'shapeless';
  readonly blocks?: BlockHealth;
  readonly spread?: SpreadReport;
  readonly error?: unknown;
}

type Look = RunOptions & Pick<ScrubOptions, 'onBlocks'>;

/** What is told of a reading says of which archive. */
function named({ onProgress, onBlocks, ...run }: Look, storage: string, archive: string): Look {
  return {
    ...run,
    ...(onProgress && {
      onProgress: (progress) => {
        const { doneBytes: entryDoneBytes, totalBytes: entryExpectedBytes } = progress;
        onProgress({ ...progress, entry: `${archive} (${storage})`, entryDoneBytes, entryExpectedBytes });
      },
    }),
    ...(onBlocks && { onBlocks: (step) => onBlocks({ ...step, storage, archive }) }),
  };
}

async function look(location: WritableLocation, label: string, run: Look): Promise<Found> {
  try {
    const report = await validateBackup({ ...named(run, label, location.name), archive: location, level: 'structure' });
    const { archiveId, state, blocks, spread } = report;
    return { ...location, label, archiveId, state, blocks, ...(spread && { spread }) };
  } catch (error) {
    throwIfAborted(run.signal);
    const code = error instanceof HoldfastError ? error.code : undefined;
    // Its outline is lost, and perhaps not its header: replicas with its id have the rest.
    const archiveId = code === 'archive.damaged' ? await idOf(location) : undefined;
    if (archiveId !== undefined) return { ...location, label, archiveId, state: 'lost', error };
    // Nothing of these tells what they were: only another storage can.
    const isShapeless = code === 'archive.not_an_archive' || code === 'archive.damaged';
    return { ...location, label, archiveId: undefined, state: isShapeless ? 'shapeless' : 'unreadable', error };
  }
}

async function idOf(location: WritableLocation): Promise<string | undefined> {
  try {
    return (await summarizeArchive(location)).archiveId;
  } catch (error) {
    if (error instanceof HoldfastError && error.code.startsWith('archive.')) return undefined;
    throw error;
  }
}

/** Replicas on other storages: by the archive's id, or by its name where the id is lost; the best first. */
function replicasOf(found: Found, all: readonly Found[]): Found[] {
  const order = ['intact', 'repairable', 'lost'];
  return all
    .filter((other) => other.storage !== found.storage && order.includes(other.state))
    .filter((other) =>
      found.archiveId === undefined ? other.name === found.name : other.archiveId === found.archiveId,
    )
    .sort((left, right) => order.indexOf(left.state) - order.indexOf(right.state));
}

class Scrub {
  readonly #options: ScrubOptions;
  readonly #run: RunOptions;
  readonly #look: Look;
  readonly #found: Found[] = [];

  constructor(options: ScrubOptions) {
    const { dryRun: _dryRun, restoreMissing: _restoreMissing, onArchive: _onArchive, onBlocks, ...rest } = options;
    const { storages: _, plainDigestOf: _plainDigestOf, ...run } = rest;
    this.#options = options;
    this.#run = run;
    this.#look = { ...run, ...(onBlocks && { onBlocks }) };
  }

  async run(): Promise<Pick<ScrubReport, 'archives' | 'failedStorages'>> {
    const { storages, restoreMissing = true } = this.#options;
    const failedStorages: { storage: string; error: NonNullable<OutputReport['error']> }[] = [];
    const listed: NamedStorage[] = [];
    for (const named of storages) {
      try {
        await this.#lookAtAll(named);
        listed.push(named);
      } catch (error) {
        throwIfAborted(this.#run.signal);
        failedStorages.push({ storage: named.name, error: errorReport(error) });
      }
    }
    const archives: ScrubbedArchive[] = [];
    for (const [index, found] of this.#found.entries()) {
      const now = await this.#asItIsNow(found);
      if (now === undefined) continue;
      this.#found[index] = now;
      archives.push(await this.#mend(now, index));
    }
    archives.push(...(await new PlainScrub(this.#options).run(listed)));
    if (restoreMissing) for (const named of listed) archives.push(...(await this.#restoreMissing(named)));
    return { archives, failedStorages };
  }

  async #lookAtAll({ name: label, storage }: NamedStorage): Promise<void> {
    for (const { name } of await listArchives(storage)) {
      throwIfAborted(this.#run.signal);
      this.#options.onArchive?.(label, name);
      this.#found.push(await look({ storage, name }, label, this.#look));
    }
    const { sets, failure } = await lackingShardSets(storage);
    for (const set of sets) {
      // While a storage does not tell what it has, nothing is lost, and nothing is well either.
      const error = failure === undefined ? describeLostShards(storage, set) : failure.error;
      const state = failure === undefined ? 'shapeless' : 'unreadable';
      this.#found.push({ storage, name: set.name, label, archiveId: undefined, state, error });
    }
  }

  /** Of an archive that another run was laying over its storages, or removing, when it was looked at: what became of it. Undefined where it is gone. */
  async #asItIsNow(found: Found): Promise<Found | undefined> {
    const { storage, name, label, state } = found;
    if (state !== 'shapeless' || storage.spread === undefined) return found;
    const { sets, failures } = await storage.spread.shardSets(`${name}.`);
    if (failures.length > 0) return found;
    const own = sets.filter((set) => set.name === name && set.goneOn.length === 0);
    if (own.length === 0) return undefined;
    return chooseSet(own) === undefined ? found : await look({ storage, name }, label, this.#look);
  }

  async #mend(found: Found, index: number): Promise<ScrubbedArchive> {
    const { storage, label, name, archiveId, state, blocks, spread, error } = found;
    const known = { ...(archiveId && { archiveId }), ...(blocks && { blocks }), ...(spread && { spread }) };
    const place = { storage: label, name, ...known };
    if (state === 'intact') return { ...place, state };
    if (state === 'unreadable') return { ...place, state, error: errorReport(error) };
    const replicas = state === 'repairable' ? [] : replicasOf(found, this.#found);
    const from = replicas.length > 0 ? { from: replicas.map((replica) => replica.label) } : {};
    const reason = state === 'shapeless' && storage.spread !== undefined ? { error: errorReport(error) } : {};
    if (state !== 'repairable' && replicas.length === 0) return { ...place, state: 'lost', ...reason };
    try {
      if (this.#options.dryRun === true) return await this.#foresee(found, replicas, { ...place, ...from });
      if (state === 'shapeless') await transferArchive({ from: replicas, to: found, run: this.#run });
      else if (spread !== undefined && blocks?.damaged === 0) await rebuildShards(found, spread, this.#run);
      else await repairArchive({ ...this.#run, archive: location(found), from: replicas.map(location) });
      this.#found[index] = await this.#readAgain(found);
      return { ...place, ...from, state: 'repaired' };
    } catch (failure) {
      throwIfAborted(this.#run.signal);
      const isLost = failure instanceof HoldfastError && failure.code === 'archive.damaged';
      return { ...place, ...from, state: isLost ? 'lost' : 'repairable', error: errorReport(failure) };
    }
  }

  /** Whether all replicas together would give the archive back. */
  async #foresee(
    found: Found,
    replicas: readonly Found[],
    place: Omit<ScrubbedArchive, 'state'>,
  ): Promise<ScrubbedArchive> {
    if (found.state === 'repairable') return { ...place, state: 'repairable' };
    const [first, ...others] = found.state === 'shapeless' ? replicas : [found, ...replicas];
    if (first === undefined) return { ...place, state: 'lost' };
    const from = others.map(location);
    const dry = { ...this.#run, dryRun: true, partial: true };
    const { state } = await repairArchive({ ...dry, archive: location(first), from });
    return { ...place, state: state === 'lost' ? 'lost' : 'repairable' };
  }

  async #readAgain(found: Found): Promise<Found> {
    const again = await look({ storage: found.storage, name: found.name }, found.label, this.#look);
    if (again.state === 'intact') return again;
    throw new HoldfastError('archive.verify_failed', {
      message: `${found.storage.url(found.name)}: what was repaired does not read back as it was`,
      cause: again.error,
    });
  }

  /** Brings archives that are on other storages to this one. */
  async #restoreMissing({ name: label, storage }: NamedStorage): Promise<ScrubbedArchive[]> {
    const own = this.#found.filter((found) => found.storage === storage);
    const archives: ScrubbedArchive[] = [];
    const taken = new Set([...own.map(({ name }) => name), ...own.map(({ archiveId }) => archiveId)]);
    for (const found of [...this.#found]) {
      const { name, archiveId } = found;
      if (archiveId === undefined || taken.has(name) || taken.has(archiveId)) continue;
      taken.add(name).add(archiveId);
      const replicas = this.#found.filter((other) => other.archiveId === archiveId);
      archives.push(await this.#restore({ storage, name }, label, replicas));
    }
    return archives;
  }

  async #restore(to: WritableLocation, label: string, replicas: readonly Found[]): Promise<ScrubbedArchive> {
    const archiveId = replicas[0]?.archiveId;
    const from = replicas.map((replica) => replica.label);
    const place = { storage: label, name: to.name, ...(archiveId && { archiveId }), from };
    if (this.#options.dryRun === true) return { ...place, state: 'missing' };
    try {
      const sorted = replicasOf({ ...to, label, archiveId, state: 'lost' }, replicas);
      this.#options.onArchive?.(label, to.name);
      await transferArchive({ from: sorted.map(location), to, run: this.#run });
      const found: Found = { ...to, label, archiveId, state: 'intact' };
      this.#found.push(await this.#readAgain(found));
      return { ...place, state: 'restored' };
    } catch (error) {
      throwIfAborted(this.#run.signal);
      return { ...place, state: 'missing', error: errorReport(error) };
    }
  }
}

function location({ storage, name }: WritableLocation): WritableLocation {
  return { storage, name };
}

/**
 * Reads every block of every archive on the storages, and mends what is damaged: from its parity, its copies, and its replicas on the
 * other storages. What is mended is written aside, checked, put in place at once, and read again. Archives that a storage lacks are
 * brought back from the others. Plain dumps are compared with
 * what was recorded of them, and brought back from another storage. An archive or a storage that fails does not stop the rest. No key is needed.
 *
 * @example
 * const { archives } = await scrubStorages({ storages: [{ name: 'local', storage: local }, { name: 'offsite', storage: offsite }] });
 */
export async function scrubStorages(options: ScrubOptions): Promise<ScrubReport> {
  const clock = options.clock ?? systemClock;
  const startMs = clock.monotonicMs();
  const { archives, failedStorages } = await new Scrub(options).run();
  return {
    archives,
    failedStorages,
    dryRun: options.dryRun === true,
    durationMs: Math.round(clock.monotonicMs() - startMs),
  };
}
