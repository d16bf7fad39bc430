import type { MemoryQueue } from '../queue/memory/memory-queue.ts';
import type { CommandContext } from './command-context.ts';
import { type JobToRun, runJob } from './run-job.ts';

/** The queues of a process that runs the jobs itself: so many of each at once, the others wait for their turn. */
export class ServedQueues {
  readonly #queue: MemoryQueue;
  readonly #concurrency: number;
  readonly #context: CommandContext;
  readonly #working = new Map<string, Promise<void>>();
  /** Of each job, as it was added last. */
  readonly #prunes = new Map<string, boolean>();

  static async open({ concurrency }: { readonly concurrency: number }, context: CommandContext): Promise<ServedQueues> {
    const { MemoryQueue } = await import('../queue/memory/memory-queue.ts');
    return new ServedQueues(new MemoryQueue({ clock: context.clock }), concurrency, context);
  }

  private constructor(queue: MemoryQueue, concurrency: number, context: CommandContext) {
    this.#queue = queue;
    this.#concurrency = concurrency;
    this.#context = context;
  }

  /** Runs a job when its turn comes; settled when it has ended. Throws what the run threw. */
  async run(name: string, { job, scheduledMs, prunes }: JobToRun, signal: AbortSignal): Promise<void> {
    this.#prunes.set(job, prunes);
    if (!this.#working.has(name)) this.#working.set(name, this.#work(name));
    const id = await this.#queue.add({ queue: name, job, scheduledMs });
    await this.#queue.result(name, id, signal);
  }

  /** Waits for the runs that are under way, once the signal is aborted. */
  async settle(): Promise<void> {
    await Promise.all(this.#working.values());
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  async #work(name: string): Promise<void> {
    const context = this.#context;
    await this.#queue.work({
      queue: name,
      concurrency: this.#concurrency,
      signal: context.signal,
      // A run that is under way cleans up behind itself, and is due again.
      graceMs: 0,
      run: ({ job, scheduledMs }, run) =>
        runJob({ job, scheduledMs, prunes: this.#prunes.get(job) ?? false }, context, run.signal),
    });
  }
}
