import type { Log } from '../log/log.ts';
import type { SchedulerEvent } from '../operation/scheduler.ts';
import type { CommandContext } from './command-context.ts';
import { toHoldfastError } from './print-error.ts';
import { runDone } from './run-job.ts';

/** Tells people of runs that did not take place when they should have, beside the jobs; that fails no job. */
export class Telling {
  readonly #context: CommandContext;
  readonly #log: Log;
  readonly #running = new Set<Promise<void>>();

  constructor(context: CommandContext, log: Log) {
    this.#context = context;
    this.#log = log;
  }

  tellMissed({ job, missedMs }: { readonly job: string; readonly missedMs: number }): void {
    this.keep(this.#tell(['notify', 'missed', '--job', job, '--due', String(missedMs), '--json']));
  }

  tellOverdue({ job, scheduledMs = 0 }: Pick<SchedulerEvent, 'job' | 'scheduledMs'>): void {
    this.keep(this.#tell(['notify', 'missed', '--overdue', '--job', job, '--due', String(scheduledMs), '--json']));
  }

  /** Work that is waited for in the end. */
  keep(work: Promise<void>): void {
    const kept = work.finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #tell(words: readonly string[]): Promise<void> {
    try {
      await runDone(words, this.#context, this.#context.signal, { log: this.#log });
    } catch (thrown) {
      const { code, message } = toHoldfastError(thrown);
      if (code !== 'operation.interrupted') this.#log.warn(`nobody was told: ${message} [${code}]`);
    }
  }
}
