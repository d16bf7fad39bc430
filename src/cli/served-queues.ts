import type { Log } from '../log/log.ts';
import type { MemoryQueue } from '../queue/memory/memory-queue.ts';
import type { CommandContext } from './command-context.ts';
import { type JobToRun, runJob } from './run-job.ts';

/** The queues of a process that runs the jobs itself: so many of each at once, the others wait for their turn. */
export class ServedQueues {
  readonly #queue: MemoryQueue;
  readonly #concurrency: number;
  readonly #context: CommandContext;
  readonly #working = new Map<string, Promise<void>>();
  readonly #log: Log;
  /** Each job as it was added last. */
  readonly #added = new Map<string, JobToRun>();

  static async open(
    options: { readonly concurrency: number; readonly log: Log },
    context: CommandContext,
  ): Promise<ServedQueues> {
    const { MemoryQueue } = await import('../queue/memory/memory-queue.ts');
    return new ServedQueues({ ...options, queue: new MemoryQueue({ clock: context.clock }), context });
  }

  private constructor(parts: { queue: MemoryQueue; concurrency: number; log: Log; context: CommandContext }) {
    this.#queue = parts.queue;
    this.#concurrency = parts.concurrency;
    this.#log = parts.log;
    this.#context = parts.context;
  }

  /** Runs a job when its turn comes; settled when it has ended. Throws what the run threw. */
  async run(name: string, added: JobToRun, signal: AbortSignal): Promise<void> {
    const { job, scheduledMs } = added;
    this.#added.set(job, added);
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
      run: ({ job, scheduledMs }, run) => {
        const asAdded = this.#added.get(job) ?? { prunes: false };
        return runJob({ ...asAdded, job, scheduledMs }, context, run.signal, { log: this.#log });
      },
    });
  }
}
