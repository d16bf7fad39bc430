import { createHash } from 'node:crypto';
import { SeededRandom } from '../../src/testing/index.ts';
import { Coverage } from './coverage.ts';
import { havoc } from './havoc.ts';
import type { FuzzTarget } from './target.ts';

/** An input that was answered wrongly. */
export interface FuzzFind {
  readonly bytes: Uint8Array;
  readonly error: unknown;
}

/** What a run came to. */
export interface GuidedReport {
  readonly inputs: number;
  /** Places in the code that were reached. */
  readonly places: number;
  /** Inputs that reached what none before did. */
  readonly corpus: readonly Uint8Array[];
  readonly finds: readonly FuzzFind[];
}

/** How far a run goes: to a number of inputs, or until it is told to end. */
export interface GuidedOptions {
  readonly seed: number;
  readonly maximumInputs: number;
  readonly isOver?: () => boolean;
  /** Wrong answers after which it ends. */
  readonly maximumFinds?: number;
}

/** What a process may have in memory beyond what it had before: no input is that large. */
const memoryLimitBytes = 512 * 1024 * 1024;

/** Runs one input, within its limits of time and memory. */
export async function runInput(target: FuzzTarget, bytes: Uint8Array): Promise<void> {
  const before = process.cpuUsage();
  await target.run(bytes);
  const { user, system } = process.cpuUsage(before);
  const tookMs = (user + system) / 1000;
  if (tookMs > target.limitMs) throw new Error(`it took ${Math.round(tookMs)} ms, and may take ${target.limitMs}`);
}

/** Inputs between two looks at the coverage, which costs as much as many of them unless they are slow. */
const batchSize = 32;

/** Runs inputs, and keeps those that reach what none before did. */
class Explorer {
  readonly seen = new Set<string>();
  /** What several inputs together went through: more often than each by itself does. */
  readonly #seenTogether = new Set<string>();
  readonly corpus: Uint8Array[] = [];
  readonly finds: FuzzFind[] = [];
  readonly #target: FuzzTarget;
  readonly #coverage = new Coverage();
  readonly #told = new Set<string>();
  readonly #startBytes = process.memoryUsage.rss();

  constructor(target: FuzzTarget) {
    this.#target = target;
  }

  /** Of several inputs each is run again by itself only where something is new. */
  async run(inputs: readonly Uint8Array[]): Promise<void> {
    this.#coverage.take();
    if (this.#target.isSlow) {
      for (const bytes of inputs) await this.#explore(bytes);
      this.#checkMemory(inputs);
      return;
    }
    for (const bytes of inputs) await this.#tryOne(bytes);
    this.#checkMemory(inputs);
    const places = [...this.#coverage.take()].filter(
      (place) => !this.seen.has(place) && !this.#seenTogether.has(place),
    );
    if (places.length === 0) return;
    for (const place of places) this.#seenTogether.add(place);
    for (const bytes of inputs) await this.#explore(bytes);
  }

  async #explore(bytes: Uint8Array): Promise<void> {
    await this.#tryOne(bytes);
    const places = [...this.#coverage.take()].filter((place) => !this.seen.has(place));
    for (const place of places) this.seen.add(place);
    if (places.length > 0) this.corpus.push(bytes);
  }

  stop(): void {
    this.#coverage.stop();
  }

  async #tryOne(bytes: Uint8Array): Promise<void> {
    try {
      await runInput(this.#target, bytes);
    } catch (error) {
      this.#tell(bytes, error);
    }
  }

  #checkMemory(inputs: readonly Uint8Array[]): void {
    const grownBytes = process.memoryUsage.rss() - this.#startBytes;
    const [bytes] = inputs;
    if (grownBytes <= memoryLimitBytes || bytes === undefined) return;
    this.#tell(bytes, new Error(`the process grew by ${grownBytes} bytes with this input or one of the next ones`));
  }

  /** One of each kind. */
  #tell(bytes: Uint8Array, error: unknown): void {
    const text = String(error instanceof Error ? error.stack : error).replace(/\d+/g, '0');
    if (!this.#told.has(text)) this.finds.push({ bytes, error });
    this.#told.add(text);
  }
}

/** Changes inputs again and again, and goes on with those that reach what none before did. */
export async function runGuided(target: FuzzTarget, options: GuidedOptions): Promise<GuidedReport> {
  const { seed, maximumInputs, isOver = () => false, maximumFinds = 10 } = options;
  const { words, maximumBytes, fix, seeds } = target;
  const random = new SeededRandom(seed);
  const explorer = new Explorer(target);
  const { corpus, finds, seen } = explorer;
  let inputs = 0;
  try {
    for (const bytes of seeds) await explorer.run([bytes]);
    while (inputs < maximumInputs && !isOver() && finds.length < maximumFinds) {
      const batch = Array.from({ length: Math.min(target.isSlow ? 1 : batchSize, maximumInputs - inputs) }, () => {
        // The newest are tried more often: they are the furthest.
        const share = random.float() < 0.5 ? 1 - random.float() ** 2 : random.float();
        const original = corpus[Math.floor(share * corpus.length)] ?? seeds[0] ?? new Uint8Array();
        const bytes = havoc(original, { random, others: corpus, words, maximumBytes });
        if (random.float() < 0.8) fix?.(bytes);
        return Uint8Array.from(bytes);
      });
      await explorer.run(batch);
      inputs += batch.length;
    }
  } finally {
    explorer.stop();
  }
  return { inputs, places: seen.size, corpus, finds };
}

/** The name of a file for an input. */
export function inputName(target: string, bytes: Uint8Array): string {
  return `${target}-${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`;
}
