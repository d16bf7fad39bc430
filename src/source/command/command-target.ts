import { HoldfastError } from '../../errors.ts';
import type { RestorableEntry, RestoreTarget, TargetChange } from '../target.ts';
import { type CommandProgram, checkProgram, programName } from './command-program.ts';
import { RunningProgram } from './running-program.ts';

/** What a {@link CommandTarget} feeds. */
export interface CommandTargetOptions extends CommandProgram {
  readonly signal?: AbortSignal | undefined;
}

/**
 * A program whose standard input is what is restored. What the program does with it is its own: such a restore is not atomic. It is
 * told the end of the input only when all else was restored so far, and is ended before that when the restore fails.
 */
export class CommandTarget implements RestoreTarget {
  readonly #options: CommandTargetOptions;
  #running: RunningProgram | undefined;

  constructor(options: CommandTargetOptions) {
    this.#options = options;
  }

  async plan(entries: readonly RestorableEntry[]): Promise<TargetChange> {
    if (entries.length !== 1 || entries[0]?.kind !== 'stream') throw this.#onlyOne();
    checkProgram(this.#options);
    return this.#change();
  }

  async stage(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#running !== undefined || entry.kind !== 'stream') throw this.#onlyOne();
    const running = new RunningProgram(this.#options, 'input', this.#options.signal);
    this.#running = running;
    for await (const chunk of bytes) await running.write(chunk);
  }

  async commit(): Promise<TargetChange> {
    const running = this.#running;
    if (running === undefined) throw new HoldfastError('target.invalid', { message: 'the program was not started' });
    running.finishInput();
    await running.end();
    // What it left running may hold its outputs open, and this process with them.
    await running.kill();
    this.#running = undefined;
    return this.#change();
  }

  async abort(): Promise<void> {
    await this.#running?.kill();
    this.#running = undefined;
  }

  #change(): TargetChange {
    return { target: programName(this.#options), action: 'run' };
  }

  #onlyOne(): HoldfastError {
    const message = `${programName(this.#options)} takes exactly one entry of the kind stream`;
    return new HoldfastError('target.invalid', { message });
  }
}
