/** Processes that die at any of their steps, and two of them that take turns. */
import { HoldfastError } from '../../src/errors.ts';
import type { FakeClock } from '../../src/testing/fake-clock.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import type { Fault, ProcessFault } from './plan.ts';

/** Decides which of several processes goes on: one step of one of them at a time, once each of them waits. */
export class Turns {
  readonly #random: SeededRandom;
  readonly #waiting = new Map<SimulatedProcess, (() => void)[]>();
  #isScheduled = false;

  constructor(seed: number, processes: readonly SimulatedProcess[]) {
    this.#random = new SeededRandom(seed);
    for (const process of processes) {
      this.#waiting.set(process, []);
      process.turns = this;
    }
  }

  /** Ends when it is the turn of this process. */
  async take(process: SimulatedProcess): Promise<void> {
    const queue = this.#waiting.get(process);
    if (queue === undefined) return;
    await new Promise<void>((resolve) => {
      queue.push(resolve);
      this.#goOnSoon();
    });
  }

  /** This process has ended: nobody waits for it. */
  leave(process: SimulatedProcess): void {
    for (const resolve of this.#waiting.get(process) ?? []) resolve();
    this.#waiting.delete(process);
    this.#goOnSoon();
  }

  /** Once whoever went on last has done all that it can. */
  #goOnSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#goOn();
    });
  }

  #goOn(): void {
    const queues = [...this.#waiting.values()];
    if (queues.length === 0 || queues.some(({ length }) => length === 0)) return;
    queues[this.#random.integer(queues.length)]?.shift()?.();
    // One that has several steps under way may need another of them before it comes again.
    this.#goOnSoon();
  }
}

const died = Symbol('died');

/**
 * A process of a simulated world. All that it does outside of itself is a step: at the one that is set it dies, and neither that step nor
 * any later one ever ends. What it was about stays as it is, until `bury` lets it end for the sake of this, the real process.
 */
export class SimulatedProcess {
  readonly #clock: FakeClock;
  readonly #faults: readonly ProcessFault[];
  readonly #abort = new AbortController();
  readonly #death = Promise.withResolvers<typeof died>();
  readonly #hanging: ((error: unknown) => void)[] = [];
  readonly #left: Promise<unknown>[] = [];
  readonly #onFault: (kind: string) => void;
  turns: Turns | undefined;
  #steps = 0;
  #state: 'alive' | 'dead' | 'buried' = 'alive';

  constructor(options: { readonly clock: FakeClock; readonly faults: readonly Fault[]; onFault(kind: string): void }) {
    this.#clock = options.clock;
    this.#onFault = options.onFault;
    const kinds = ['dies', 'interrupted', 'history-away', 'clock-jumps'];
    this.#faults = options.faults.filter((fault): fault is ProcessFault => kinds.includes(fault.kind));
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isDead(): boolean {
    return this.#state !== 'alive';
  }

  /** Whether the history cannot be reached by this process. */
  get lacksHistory(): boolean {
    return this.#faults.some(({ kind }) => kind === 'history-away');
  }

  /** Runs work until it ends, or the process dies. */
  async run<Result>(work: () => Promise<Result>): Promise<{ readonly result: Result } | 'died'> {
    const running = work();
    this.#left.push(running);
    running.catch(() => undefined);
    try {
      const first = await Promise.race([running, this.#death.promise]);
      return first === died ? 'died' : { result: first as Result };
    } finally {
      this.turns?.leave(this);
    }
  }

  /** Something is done that is seen from outside. */
  async step(): Promise<void> {
    if (this.#state === 'alive') {
      this.#steps += 1;
      for (const fault of this.#faults) {
        if (fault.kind === 'history-away' || fault.at !== this.#steps) continue;
        this.#onFault(fault.kind);
        if (fault.kind === 'interrupted') this.#abort.abort();
        else if (fault.kind === 'clock-jumps') this.#clock.setNowMs(this.#clock.nowMs() + fault.byMs);
        else this.#die();
      }
    }
    await this.#hangIfDead();
    await this.turns?.take(this);
    await this.#hangIfDead();
  }

  /** Lets what hangs fail, so that files are closed; its world is over. */
  async bury(): Promise<void> {
    if (this.#state === 'dead') this.#state = 'buried';
    for (const reject of this.#hanging.splice(0)) reject(gone());
    await Promise.allSettled(this.#left);
  }

  #die(): void {
    this.#state = 'dead';
    this.#death.resolve(died);
  }

  async #hangIfDead(): Promise<void> {
    if (this.#state === 'alive') return;
    if (this.#state === 'buried') throw gone();
    await new Promise<never>((_, reject) => this.#hanging.push(reject));
  }
}

function gone(): HoldfastError {
  return new HoldfastError('storage.failed', { message: 'the process is gone' });
}
