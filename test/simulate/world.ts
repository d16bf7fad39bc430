/** A simulated world: storages, a clock, an application, a history, and a user with a folder. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Wait } from '../../src/clock.ts';
import type { History } from '../../src/history/history.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import type { OpenKeys, SealKeys } from '../../src/operation/options.ts';
import type { NamedStorage } from '../../src/operation/scrub.ts';
import type { RetentionArchive } from '../../src/policy/retention.ts';
import { Secret } from '../../src/secret.ts';
import { retryStorage } from '../../src/storage/wrap/retry.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { ageKeys } from '../end-to-end/age-keys.ts';
import { canaries, passphraseCanary } from './canaries.ts';
import type { System } from './mistakes.ts';
import { type Fault, machineCount, type Plan, type StorageFault } from './plan.ts';
import { Ledger, ledgerName, ledgerPath, restoredLedger } from './simulated-ledger.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { SpreadPlace } from './spread-place.ts';
import { hold, Truth } from './truth.ts';
import { type Change, StorageSession, WorldStorage } from './world-storage.ts';

/** No process has this number: the system gives none above 2^22. */
const deadProcessId = 2 ** 22 + 7;

/** A process at work on an action, with its ways to the storages. */
export interface Session {
  readonly process: SimulatedProcess;
  readonly storages: readonly NamedStorage[];
  readonly faults: readonly Fault[];
  /** Kinds of faults that came to pass. */
  readonly hit: Set<string>;
  readonly changes: Change[];
  /** Another process was at work meanwhile. */
  readonly isShared: boolean;
  /** What lay on each storage when it began. */
  readonly before: readonly ReadonlyMap<string, Uint8Array>[];
  /** URLs of archives that lacked shards, or had damaged ones, when it began. */
  readonly lacking: ReadonlySet<string>;
  /** What retention had to go by then. */
  readonly retention: RetentionView;
}

/** What retention is to judge, as it is truly. */
export interface RetentionView {
  readonly archives: readonly RetentionArchive[];
  readonly nowMs: number;
  hold(database: string, storage: string): string | undefined;
}

export class World {
  readonly plan: Plan;
  readonly system: System;
  readonly clock = new FakeClock();
  readonly random: SeededRandom;
  /** Places of archives. */
  readonly storages: readonly WorldStorage[];
  /** The one over which archives are spread, which is the first of the places then. */
  readonly spread: SpreadPlace | undefined;
  /** What can fail by itself: places, and of the one that is spread its members. */
  readonly machines: readonly WorldStorage[];
  readonly truth: Truth;
  readonly history: History;
  /** For what operations put aside, and for what is restored. */
  readonly folder: string;
  readonly processes: SimulatedProcess[] = [];
  /** How often each kind of fault came to pass, and each action had each outcome. */
  readonly tally = new Map<string, number>();
  /** Backups so far, by database. */
  readonly versions = new Map<string, number>();
  readonly events: string[] = [];
  readonly #ledgers = new Map<string, Ledger>();
  #log: Log | undefined;

  constructor(plan: Plan, options: { readonly system: System; readonly history: History; readonly folder: string }) {
    this.plan = plan;
    this.system = options.system;
    this.history = options.history;
    this.folder = options.folder;
    this.random = new SeededRandom(plan.seed);
    this.truth = new Truth(plan.world);
    const labels = ['near', 'far', 'third', 'fourth', 'fifth', 'sixth'].slice(0, machineCount(plan.world));
    this.machines = labels.map((label) => new WorldStorage(label, options.system.storageMistake));
    const { spread: shape } = plan.world;
    const members = shape === undefined ? [] : this.machines.slice(0, shape.data + shape.parity);
    this.spread = shape && new SpreadPlace('spread', members, shape);
    this.storages = [...(this.spread === undefined ? [] : [this.spread]), ...this.machines.slice(members.length)];
  }

  async open(): Promise<void> {
    await mkdir(join(this.folder, 'temporary'), { recursive: true });
    for (const table of ['drill', 'run_archive', 'run'] as const)
      await this.history.database.deleteFrom(table).execute();
    const environmentVariables = { HOLDFAST_PASSPHRASE: passphraseCanary };
    const write = (line: string) => this.seeNoSecret('the log', line);
    this.#log = await openLog({ format: 'json', write, environment: environmentVariables, clock: this.clock });
  }

  async close(): Promise<void> {
    for (const process of this.processes) await process.bury();
    for (const ledger of this.#ledgers.values()) ledger.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The SQLite database of an application; undefined where worlds have none. */
  ledgerOf(application: string): Ledger | undefined {
    const { seed, world } = this.plan;
    const { sqlite: mode } = world;
    if (mode === undefined) return undefined;
    const known = this.#ledgers.get(application);
    if (known !== undefined) return known;
    const random = new SeededRandom(seed + this.#ledgers.size);
    const ledger = new Ledger(join(this.folder, 'live', `${application}.db`), { mode, random });
    this.#ledgers.set(application, ledger);
    return ledger;
  }

  /** Where the ledger of an application is restored to. */
  ledgerOut(application: string): string {
    return join(this.folder, 'out', `${ledgerName(application)}.db`);
  }

  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  get sealKeys(): { keys: SealKeys } | { encryption: 'none' } {
    const { key } = this.plan.world;
    if (key === 'none') return { encryption: 'none' };
    if (key === 'recipient') return { keys: { recipients: [ageKeys[0].recipient] } };
    return { keys: { passphrases: [new Secret(passphraseCanary)] } };
  }

  get openKeys(): { keys?: OpenKeys } {
    const { key } = this.plan.world;
    if (key === 'none') return {};
    if (key === 'recipient') return { keys: { identities: ageKeys.map(({ identity }) => new Secret(identity)) } };
    return { keys: { passphrases: [new Secret(passphraseCanary)] } };
  }

  /** Starts a process that does an action. */
  startSession(faults: readonly Fault[], isShared: boolean): Session {
    const hit = new Set<string>();
    const changes: Change[] = [];
    const onFault = (kind: string) => {
      if (!hit.has(kind)) this.count(`fault ${kind}`);
      hit.add(kind);
    };
    const { clock } = this;
    const process = new SimulatedProcess({ clock, faults, onFault });
    if (process.lacksHistory) onFault('history-away');
    this.processes.push(process);
    const opened = this.machines.map((storage, index) => {
      const own = faults.filter((fault): fault is StorageFault => 'machine' in fault && fault.machine === index);
      const isMember = this.spread?.members.includes(storage) === true;
      const onChange = (change: Change) => {
        const seen = isMember ? this.spread?.refresh(change.name) : change;
        if (seen !== undefined) changes.push(seen);
      };
      const session = new StorageSession(storage, { process, clock, faults: own, onFault, onChange });
      const repeated = { clock, wait: clock.wait, random: this.random.fork(), signal: process.signal };
      return {
        name: storage.label,
        storage: this.plan.world.repeatsCalls ? retryStorage(session, repeated) : session,
      };
    });
    const storages = this.#places(opened);
    const before = this.storages.map(({ objects }) => new Map([...objects].map(([name, { bytes }]) => [name, bytes])));
    const { spread } = this;
    const lacking = new Set(
      [...(spread?.objects.keys() ?? [])].flatMap((name) =>
        spread === undefined || spread.isComplete(name) ? [] : [spread.url(name)],
      ),
    );
    return { process, storages, faults, hit, changes, isShared, before, lacking, retention: this.retentionView() };
  }

  /** The ways to the places, by the ways to all that there is. */
  #places(opened: readonly NamedStorage[]): NamedStorage[] {
    const { spread, clock } = this;
    if (spread === undefined) return [...opened];
    const members = opened.slice(0, spread.members.length).map(({ name, storage }) => ({ label: name, storage }));
    // Nothing hangs in these worlds: whoever waits for something slow waits for ever.
    const wait: Wait = (_, signal) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    const { shape } = spread;
    const storage = this.system.spread(spread, { shape, members, clock, wait, random: this.random.fork() });
    return [{ name: spread.label, storage }, ...opened.slice(members.length)];
  }

  /** Whether a place has an archive whole: with all of its shards, where it is spread. */
  isComplete(storage: WorldStorage, name: string): boolean {
    return this.truth.isWhole(storage, name) && (storage !== this.spread || this.spread.isComplete(name));
  }

  retentionView(): RetentionView {
    const { truth } = this;
    const archives = this.storages.flatMap((storage) => truth.retentionArchives(storage));
    const nowMs = this.clock.nowMs();
    return { archives, nowMs, hold: truth.holds(nowMs) };
  }

  /** What all operations of a process take. */
  run(session: Session) {
    return {
      threads: 0,
      clock: this.clock,
      random: this.random.fork(),
      signal: session.process.signal,
      onProgress: (progress: unknown) => this.seeNoSecret('progress', JSON.stringify(progress)),
    };
  }

  /** Runs of a process that has died are without an end, and its number is free. */
  async buryRuns(): Promise<void> {
    await this.history.database
      .updateTable('run')
      .set({ process_id: deadProcessId })
      .where('state', '=', 'running')
      .execute();
  }

  /** Looks through what was said or written for what must not stand in it. */
  see(where: string, value: unknown): void {
    const text = value instanceof Error ? inspect(value, { depth: 8 }) : JSON.stringify(value);
    this.seeNoSecret(where, text ?? '');
    if (value instanceof Error) this.#log?.error(value.message, { error: value });
  }

  seeNoSecret(where: string, text: string): void {
    for (const needle of canaries) {
      hold(
        'no secret is told',
        !text.includes(needle),
        () => `${where} tells ${needle.slice(0, 16)}…: ${text.slice(0, 300)}`,
      );
    }
  }

  /** The files that the user has of an application, as text: path and content; of its ledger what stands in it. */
  async restoredFiles(database: string): Promise<ReadonlyMap<string, string>> {
    const root = join(this.folder, 'out', database);
    const found = new Map<string, string>();
    const look = async (folder: string, base: string): Promise<void> => {
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        const path = `${base}${entry.name}`;
        if (entry.isDirectory()) await look(join(folder, entry.name), `${path}/`);
        else found.set(path, await readFile(join(folder, entry.name), 'latin1'));
      }
    };
    await look(root, '');
    const ledger = restoredLedger(this.ledgerOut(database));
    if (ledger !== undefined) found.set(ledgerPath(database), ledger);
    return found;
  }
}
