import type { History } from '../../history/history.ts';
import {
  type ArchiveBrief,
  extentOfRuns,
  type RunBrief,
  type RunChunk,
  runsById,
  runsSince,
} from '../../history/run-queries.ts';
import { type Known, learn } from '../../operation/retention-facts.ts';

/** What runs found of what is at a place. */
export interface KnownPlace extends Known {
  readonly archiveId: string | undefined;
  /** When its contents, or its blocks, were last read and found right. */
  readonly provenMs: number | undefined;
  readonly wholeMs: number | undefined;
  /** When it was restored for a trial. */
  readonly drilledMs: number | undefined;
}

const unknown: KnownPlace = {
  isProven: false,
  isSuspect: false,
  isDamaged: false,
  isRefuted: false,
  archiveId: undefined,
  provenMs: undefined,
  wholeMs: undefined,
  drilledMs: undefined,
};

function seriesKey(job: string | undefined, database: string | undefined): string {
  return `${job}\0${database ?? ''}`;
}

/** A run on a machine whose clock is behind may come after one that began later. */
const lookBackMs = 3_600_000;
/** Beyond so many the oldest runs are not held. */
const maximumRuns = 250_000;

/**
 * The whole history, as far as the overview needs it, held in memory. It is read once; then only what was added or still ran is looked at, which
 * costs a few milliseconds however long it is.
 */
export class RunDigest {
  readonly #history: Pick<History, 'database'>;
  #runs: RunBrief[] = [];
  #byId = new Map<string, number>();
  #places = new Map<string, KnownPlace>();
  #backups = new Map<string, RunBrief[]>();
  #count = 0;
  #newestMs = 0;
  #refreshing: Promise<void> | undefined;
  /** Changes where runs have got other places among the others; what is added at the end changes none. */
  order = 0;
  /** Changes with every change: what was made from the digest is good as long as it stays. */
  version = 0;

  constructor(history: Pick<History, 'database'>) {
    this.#history = history;
  }

  /** The runs, the oldest first. */
  get runs(): readonly RunBrief[] {
    return this.#runs;
  }

  /** The place of the first run that began at a moment or later. */
  placeOf(timeMs: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#runs[middle]?.startedMs ?? 0) < timeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Backups of a job under one name, the oldest first. */
  backupsOf(job: string, database?: string): readonly RunBrief[] {
    return this.#backups.get(seriesKey(job, database)) ?? [];
  }

  /** What is known of a place, by `Storage.url`. */
  place(url: string): KnownPlace {
    return this.#places.get(url) ?? unknown;
  }

  /** Brings it up to date. */
  async refresh(): Promise<void> {
    // Many who ask at once wait for one reading.
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const { database } = this.#history;
    const extent = await extentOfRuns(database);
    const running = this.#runs.slice(-1000).filter(({ state }) => state === 'running');
    if (extent.count !== this.#count || extent.newestMs !== this.#newestMs) {
      const added = await this.#read(this.#count === 0 ? 0 : this.#newestMs - lookBackMs);
      // What was added further back, or removed, is found by reading all.
      if (this.#count + added !== extent.count) await this.#readAll();
      this.#count = this.#runs.length < maximumRuns ? this.#runs.length : extent.count;
      this.#newestMs = extent.newestMs;
    } else if (running.length > 0) {
      this.#add(
        await runsById(
          database,
          running.map(({ id }) => id),
        ),
      );
    }
  }

  async #readAll(): Promise<void> {
    this.order++;
    this.#runs = [];
    this.#byId = new Map();
    this.#places = new Map();
    this.#backups = new Map();
    await this.#read(0);
  }

  /** Reads what began at a moment or later; gives how many are new. */
  async #read(fromMs: number): Promise<number> {
    let added = 0;
    for await (const chunk of runsSince(this.#history.database, fromMs)) added += this.#add(chunk);
    return added;
  }

  /** Takes runs in; gives how many are new. */
  #add({ runs, archives }: RunChunk): number {
    const byRun = Map.groupBy(archives, ({ runId }) => runId);
    let added = 0;
    let needsOrder = false;
    for (const run of runs) {
      const at = this.#byId.get(run.id);
      const known = at === undefined ? undefined : this.#runs[at];
      if (known !== undefined && known.state === run.state && known.endedMs === run.endedMs) continue;
      this.version++;
      if (at === undefined) {
        needsOrder ||= (this.#runs.at(-1)?.startedMs ?? 0) > run.startedMs;
        this.#byId.set(run.id, this.#runs.push(run) - 1);
        added++;
      } else this.#runs[at] = run;
      if (run.kind === 'backup' && run.job !== undefined) this.#addBackup(run, known);
      for (const archive of byRun.get(run.id) ?? []) this.#learn(run, archive);
    }
    if (needsOrder || this.#runs.length > maximumRuns) this.#order();
    return added;
  }

  #addBackup(run: RunBrief, known: RunBrief | undefined): void {
    const key = seriesKey(run.job, run.database);
    const series = this.#backups.get(key);
    if (series === undefined) {
      this.#backups.set(key, [run]);
      return;
    }
    // What changes is among the last.
    const at = known === undefined ? -1 : series.lastIndexOf(known);
    if (at >= 0) series[at] = run;
    else {
      const last = series.at(-1);
      series.push(run);
      if (last !== undefined && inOrder(last, run) > 0) series.sort(inOrder);
    }
  }

  #order(): void {
    this.order++;
    this.#runs.sort((left, right) => left.startedMs - right.startedMs || (left.id < right.id ? -1 : 1));
    this.#runs.splice(0, Math.max(0, this.#runs.length - maximumRuns));
    this.#byId = new Map(this.#runs.map(({ id }, index) => [id, index]));
  }

  #learn({ kind, startedMs, endedMs, state: runState }: RunBrief, archive: ArchiveBrief): void {
    const { url, state, archiveId } = archive;
    if (state === 'removed') {
      this.#places.delete(url);
      return;
    }
    const before = this.#places.get(url) ?? unknown;
    const timeMs = endedMs ?? startedMs;
    const isDrill = kind === 'drill' && runState === 'succeeded';
    this.#places.set(url, {
      ...learn(before, { url, state }, kind),
      archiveId: archiveId ?? before.archiveId,
      provenMs: state === 'proven' || isDrill ? timeMs : state === 'damaged' ? undefined : before.provenMs,
      wholeMs: state === 'whole' || state === 'proven' ? timeMs : state === 'damaged' ? undefined : before.wholeMs,
      drilledMs: isDrill ? timeMs : before.drilledMs,
    });
  }
}

/** As they began, whatever the clock said then. */
function inOrder(left: RunBrief, right: RunBrief): number {
  return left.sequence - right.sequence || left.startedMs - right.startedMs;
}
