/** Plans from seeds. */
import type { ErrorCode } from '../../src/errors.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import {
  type Action,
  type DamageKind,
  type Fault,
  machineCount,
  type Plan,
  type SourceFault,
  type Step,
  type StorageFault,
  type WorldSettings,
} from './plan.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** One world of so many has real databases of SQLite: each backup and each restore of one starts a thread. */
const sqliteShare = 32;
/** One of so many spreads its archives over storages of their own. */
const spreadShare = 8;

/** What may happen to a step: so likely, by weight. */
type Weighted<Value> = readonly (readonly [number, Value])[];

class PlanMaker {
  readonly #random: SeededRandom;
  readonly #seed: number;
  readonly #world: WorldSettings;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    const world = this.#makeWorld();
    this.#world = seed % spreadShare === 6 ? this.#spread(world) : world;
  }

  make(): Plan {
    const steps: Step[] = [];
    // There is nothing to look at without archives.
    for (let index = 0; index < 1 + this.#random.integer(3); index++) steps.push(this.#step(this.#backup(false)));
    const count = 2 + this.#random.integer(5);
    for (let index = 0; index < count; index++) steps.push(this.#step(this.#action()));
    return { seed: this.#seed, world: this.#world, steps };
  }

  #makeWorld(): WorldSettings {
    const chance = this.#random.float();
    const stripe = this.#pick([
      [3, { dataBlocks: 239, parityBlocks: 16 }],
      [2, { dataBlocks: 8, parityBlocks: 3 }],
      [1, { dataBlocks: 2, parityBlocks: 2 }],
    ] as const);
    return {
      storageCount: 1 + this.#random.integer(3),
      databases: this.#random.float() < 0.7 ? ['shop'] : ['shop', 'blog'],
      copies: this.#random.float() < 0.6 ? 2 : 1,
      ...stripe,
      // A passphrase takes a fifth of a second each time, by design.
      key: chance < 0.002 ? 'passphrase' : chance < 0.25 ? 'recipient' : 'none',
      compression: this.#pick([
        [4, 'none'],
        [2, 'zstd'],
        [1, 'gzip'],
      ] as const),
      repeatsCalls: this.#random.float() < 0.75,
      keepLast: this.#random.integer(3),
      keepDaily: this.#random.integer(3),
      ...(this.#random.float() < 0.2 ? { maxTotalSizeBytes: 50_000 + this.#random.integer(300_000) } : {}),
      ...(this.#seed % sqliteShare === 12 ? { sqlite: this.#seed % (2 * sqliteShare) === 12 ? 'wal' : 'delete' } : {}),
    };
  }

  /** The same world with its archives spread over some storages, and perhaps one that holds them whole besides. */
  #spread(world: WorldSettings): WorldSettings {
    const spread = { data: 2 + this.#random.integer(2), parity: 1 + this.#random.integer(2) };
    return { ...world, copies: 1, spread, storageCount: 1 + this.#random.integer(2) };
  }

  #step(does: Action): Step {
    const isWorldly = ['damage', 'lose', 'lose-all', 'set-clock', 'wait'].includes(does.action);
    const faults = isWorldly ? [] : this.#faults(does);
    if (isWorldly || this.#random.float() > 0.08) return { does, faults };
    const other = this.#pick([
      // Two backups of one database at once are kept apart by the lease of their job.
      [does.action === 'backup' ? 0 : 3, this.#backup(true)],
      [2, { action: 'prune' }],
      [2, { action: 'scrub', restoreMissing: this.#random.float() < 0.8 }],
      [1, this.#sync()],
    ] as Weighted<Action>);
    const beside = { does: other, faults: this.#faults(other), turns: this.#random.integer(2 ** 31) };
    return { does, faults, beside };
  }

  #backup(mayUseProgram: boolean): Action {
    const { storageCount, databases } = this.#world;
    const all = Array.from({ length: storageCount }, (_, index) => index);
    const storages = this.#random.float() < 0.8 ? all : [this.#random.integer(storageCount)];
    const usesProgram = mayUseProgram && this.#random.float() < 0.04;
    return { action: 'backup', database: this.#random.integer(databases.length), storages, usesProgram };
  }

  #sync(): Action {
    const { storageCount } = this.#world;
    return { action: 'sync', from: this.#random.integer(storageCount), to: this.#random.integer(storageCount) };
  }

  #choice() {
    return { storage: this.#random.integer(this.#world.storageCount), pick: this.#random.integer(1000) };
  }

  #action(): Action {
    const random = this.#random;
    const damage = this.#pick([
      [3, 'bits'],
      [3, 'sectors'],
      [3, 'burst'],
      [3, 'same-place'],
      [2, 'cut-tail'],
      [1, 'inserted'],
      [1, 'removed'],
      [1, 'swapped'],
      [1, 'headers'],
      [1, 'emptied'],
    ] as Weighted<DamageKind>);
    const share = random.float() < 0.5 ? random.float() * 0.2 : random.float();
    const choices: Weighted<() => Action> = [
      [16, () => this.#backup(true)],
      [12, () => ({ action: 'prune' })],
      [9, () => ({ action: 'scrub', restoreMissing: random.float() < 0.8 })],
      [6, () => this.#sync()],
      [6, () => ({ action: 'repair', fromOthers: random.float() < 0.5, ...this.#choice() })],
      [6, () => ({ action: 'verify', level: random.float() < 0.5 ? 'structure' : 'contents', ...this.#choice() })],
      [
        8,
        () => ({
          action: 'restore',
          overwrite: random.float() < 0.6,
          fromOthers: random.float() < 0.3,
          partial: random.float() < 0.1,
          ...this.#choice(),
        }),
      ],
      [
        this.#world.key === 'recipient' ? 5 : 0,
        () => ({ action: 'key', change: random.float() < 0.7 ? 'add' : 'remove', ...this.#choice() }),
      ],
      [4, () => ({ action: 'pin', ...this.#choice() })],
      [1, () => ({ action: 'unpin', ...this.#choice() })],
      [2, () => ({ action: 'delete', ...this.#choice() })],
      [20, () => ({ action: 'damage', damage, share, salt: random.integer(2 ** 31), ...this.#choice() })],
      [this.#world.spread === undefined ? 2 : 10, () => ({ action: 'lose', ...this.#choice() })],
      [
        this.#world.spread === undefined ? 1 : 4,
        () => ({ action: 'lose-all', machine: random.integer(machineCount(this.#world)) }),
      ],
      [5, () => ({ action: 'set-clock', byMs: this.#jumpMs() })],
      [4, () => ({ action: 'wait', durationMs: random.integer(3 * dayMs) })],
    ];
    return this.#pick(choices)();
  }

  #jumpMs(): number {
    const size = this.#pick([
      [1, 1000],
      [5, 6 * hourMs],
      [1, 2 * dayMs],
      [1, 40 * dayMs],
      [1, 400 * dayMs],
    ] as Weighted<number>);
    return Math.round((this.#random.float() * 2 - 1) * size);
  }

  #faults(does: Action): Fault[] {
    const faults: Fault[] = [];
    const random = this.#random;
    if (random.float() < 0.5) faults.push(this.#storageFault());
    if (random.float() < 0.15) faults.push(this.#storageFault());
    if (does.action === 'backup' && random.float() < 0.15) faults.push(this.#sourceFault(does.usesProgram));
    const chance = random.float();
    // Later steps of long operations count as much as the first ones.
    const at = 1 + (random.float() < 0.5 ? random.integer(12) : random.integer(80));
    if (chance < 0.12) faults.push({ kind: 'dies', at });
    else if (chance < 0.16) faults.push({ kind: 'interrupted', at });
    else if (chance < 0.18) faults.push({ kind: 'history-away' });
    else if (chance < 0.21) faults.push({ kind: 'clock-jumps', at, byMs: this.#jumpMs() });
    return faults;
  }

  #sourceFault(usesProgram: boolean): SourceFault {
    if (usesProgram) return { kind: this.#random.float() < 0.5 ? 'source-no-end-mark' : 'source-exit-status' };
    return this.#pick([
      [3, { kind: 'source-fails', at: 1 + this.#random.integer(6) }],
      [1, { kind: 'source-gone' }],
      [1, { kind: 'source-empty' }],
      [4, { kind: 'source-shrinks' }],
      [2, { kind: 'source-changes' }],
    ] as Weighted<SourceFault>);
  }

  #storageFault(): StorageFault {
    const random = this.#random;
    const machine = random.integer(machineCount(this.#world));
    const at = 1 + random.integer(6);
    const code = this.#pick([
      [4, 'storage.unavailable'],
      [1, 'storage.timeout'],
      [1, 'storage.throttled'],
      [1, 'storage.unauthorized'],
      [1, 'storage.failed'],
    ] as Weighted<ErrorCode>);
    const times = random.float() < 0.7 ? 1 + random.integer(3) : 1000;
    return this.#pick([
      [3, { machine, kind: 'away' }],
      [6, { machine, kind: 'call-fails', at: 1 + random.integer(20), times, code }],
      [1, { machine, kind: 'call-slow', at, durationMs: random.integer(6 * hourMs) }],
      [2, { machine, kind: 'write-torn', at }],
      [2, { machine, kind: 'write-dropped', at }],
      [2, { machine, kind: 'write-doubled', at }],
      [2, { machine, kind: 'write-swapped', at }],
      [2, { machine, kind: 'write-rots', at }],
      [3, { machine, kind: 'write-full', at }],
      [2, { machine, kind: 'commit-lost', at: 1 + random.integer(2) }],
      [3, { machine, kind: 'commit-answer-lost', at: 1 + random.integer(2) }],
      [1, { machine, kind: 'delete-answer-lost', at: 1 + random.integer(2) }],
      [2, { machine, kind: 'read-flips', at: 1 + random.integer(20) }],
      [1, { machine, kind: 'read-short', at: 1 + random.integer(20) }],
      [2, { machine, kind: 'read-bad-sector', at: 1 + random.integer(20) }],
      [1, { machine, kind: 'list-breaks' }],
      [1, { machine, kind: 'list-hides' }],
      [1, { machine, kind: 'list-shuffled' }],
      [1, { machine, kind: 'list-doubled' }],
    ] as Weighted<StorageFault>);
  }

  #pick<Value>(choices: Weighted<Value>): Value {
    const total = choices.reduce((sum, [weight]) => sum + weight, 0);
    let left = this.#random.integer(total);
    for (const [weight, value] of choices) {
      if (left < weight) return value;
      left -= weight;
    }
    throw new Error('one of them is chosen');
  }
}

/** What happens in the world of a seed. */
export function makePlan(seed: number): Plan {
  return new PlanMaker(seed).make();
}
