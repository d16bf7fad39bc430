import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { EntryMetadata, Source, SourceContext, SourceDescription, SourceEntry } from '../source.ts';
import { type CommandProgram, checkProgram, programName } from './command-program.ts';
import { RunningProgram } from './running-program.ts';

/** What a {@link CommandSource} runs, and what its output must be. */
export interface CommandSourceOptions extends CommandProgram {
  /** The name under `databases/` in the archive. */
  readonly name: string;
  /** A text that stands in the last 4,096 bytes of an output that is complete. */
  readonly endMark?: string;
  /** The least that a complete output has; 1 unless set. */
  readonly minimumSizeBytes?: number;
}

/** Where the end mark is looked for: a line or two may follow it. */
const endSizeBytes = 4096;

/**
 * What a program writes to its standard output, as one entry. The output counts only when the program ended with 0, when it is as long
 * as it must be, and when it has its end mark.
 *
 * @example new CommandSource({ name: 'cache', command: ['redis-cli', '--rdb', '-'] })
 */
export class CommandSource implements Source {
  readonly name: string;
  readonly #options: CommandSourceOptions;
  #running: RunningProgram | undefined;

  constructor(options: CommandSourceOptions) {
    const { name } = options;
    this.name = name;
    this.#options = options;
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
      throw new HoldfastError('usage.invalid', { message: `${JSON.stringify(name)} is not a name for a command` });
    }
  }

  async describe(context: SourceContext): Promise<SourceDescription> {
    throwIfAborted(context.signal);
    checkProgram(this.#options);
    return { type: 'command', label: programName(this.#options), expectedSizeBytes: 0 };
  }

  async *entries(context: SourceContext): AsyncGenerator<SourceEntry> {
    throwIfAborted(context.signal);
    checkProgram(this.#options);
    const metadata: EntryMetadata = { engine: 'command', program: programName(this.#options) };
    const open = (signal: AbortSignal | undefined) => this.#read(signal);
    yield { path: `databases/${this.name}/stream`, kind: 'stream', expectedSizeBytes: 0, metadata, open };
  }

  async close(): Promise<void> {
    await this.#running?.kill();
    this.#running = undefined;
  }

  async *#read(signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const running = new RunningProgram(this.#options, 'output', signal);
    this.#running = running;
    let sizeBytes = 0;
    let end: Buffer = Buffer.alloc(0);
    try {
      for await (const chunk of running.output as AsyncIterable<Buffer>) {
        sizeBytes += chunk.length;
        end = endOf(end, chunk);
        yield chunk;
      }
    } catch (error) {
      // Why its output broke off is told by how it ended.
      await running.end();
      throw error;
    } finally {
      // Given up in the middle, it would wait for a reader for ever.
      if (!running.output.readableEnded) await running.kill();
    }
    await running.end();
    this.#judge(sizeBytes, end);
  }

  /** Throws `source.incomplete` for an output that cannot be all, whatever the program says. */
  #judge(sizeBytes: number, end: Buffer): void {
    const { endMark, minimumSizeBytes = 1 } = this.#options;
    const program = programName(this.#options);
    if (sizeBytes < minimumSizeBytes) {
      throw new HoldfastError('source.incomplete', {
        message: `${program} wrote ${sizeBytes} bytes, and ${minimumSizeBytes} are the least`,
        context: { program, sizeBytes },
      });
    }
    if (endMark === undefined || end.includes(endMark)) return;
    throw new HoldfastError('source.incomplete', {
      message: `what ${program} wrote does not have its end mark ${JSON.stringify(endMark)} in its last ${endSizeBytes} bytes`,
      context: { program, sizeBytes },
    });
  }
}

function endOf(end: Buffer, chunk: Buffer): Buffer {
  if (chunk.length >= endSizeBytes) return Buffer.from(chunk.subarray(-endSizeBytes));
  const joined = Buffer.concat([end, chunk]);
  return joined.subarray(Math.max(0, joined.length - endSizeBytes));
}
