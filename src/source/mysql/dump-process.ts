import type { Readable } from 'node:stream';
import { timeoutSignal } from '../../clock.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { checkProgram } from '../command/command-program.ts';
import { RunningProgram } from '../command/running-program.ts';
import { releaseMemory } from '../release-memory.ts';
import type { MysqlConnection } from './mysql-connection.ts';
import { mysqlSourceError } from './mysql-error.ts';

/** Longer than any dump; the silence of the server is what is limited. */
const runLimitMs = 20 * 24 * 60 * 60 * 1000;

/** What has come and was not taken. */
const heldLimitBytes = 512 * 1024;

/** How the dump tool is run. */
export interface DumpProcessOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** How long it may be silent before the server is asked why. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** The connection that can tell what the tool waits for. */
  readonly control: MysqlConnection;
  readonly label: string;
}

/** The dump tool at work: its output, and how it ended, in the terms of a source. */
export class DumpProcess {
  readonly #options: DumpProcessOptions;
  readonly #program: RunningProgram;
  readonly #output: Readable;
  readonly #chunks: Buffer[] = [];
  #heldBytes = 0;
  /** What was given last. */
  #taken: Buffer | undefined;
  #wake: () => void = () => undefined;
  #isClosed = false;
  /** Bytes have come since the silence was measured last. */
  #isHeard = true;
  #watch: AbortSignal | undefined;

  constructor(options: DumpProcessOptions) {
    this.#options = options;
    const command = [...unlessMissing(largerWrites), options.program, ...options.args];
    const environment = ['LD_LIBRARY_PATH'].filter((name) => process.env[name] !== undefined);
    this.#program = new RunningProgram({ command, environment, timeoutMs: runLimitMs }, 'output', options.signal);
    this.#output = this.#program.output;
    this.#output.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes >= heldLimitBytes) this.#output.pause();
      this.#wake();
    });
    // A cut is told by how the program ended.
    this.#output.on('error', () => undefined);
    this.#output.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  /**
   * The next bytes, valid until the ones after them are asked for, or undefined when the tool has ended well. Throws `source.busy`,
   * `source.changed`, `source.unreadable`, `tool.failed`. There is no timer for each piece.
   */
  async next(): Promise<Buffer | undefined> {
    if (this.#taken !== undefined) releaseMemory(this.#taken);
    this.#taken = undefined;
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#isHeard = true;
        this.#taken = chunk;
        this.#heldBytes -= chunk.length;
        if (this.#output.isPaused() && this.#heldBytes < heldLimitBytes) this.#output.resume();
        return chunk;
      }
      if (this.#isClosed || this.#output.readableEnded) break;
      const { promise: woken, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#watchSilence();
      await woken;
      if (this.#watch?.aborted === true) await this.#measureSilence();
    }
    throwIfAborted(this.#options.signal);
    await this.#program.end().catch(throwMeaning(this.#options.label));
    return undefined;
  }

  #watchSilence(): void {
    if (this.#watch?.aborted === false) return;
    this.#isHeard = false;
    this.#watch = timeoutSignal(this.#options.timeoutMs);
    this.#watch.addEventListener('abort', () => this.#wake());
  }

  async #measureSilence(): Promise<void> {
    this.#watch = undefined;
    if (!this.#isHeard) await this.#explainSilence();
  }

  /** Ends the tool. May be repeated. */
  async kill(): Promise<void> {
    await this.#program.kill();
  }

  /** The tool may have much to wait for; a lock is not waited for longer than was said. */
  async #explainSilence(): Promise<void> {
    const { control, timeoutMs, label } = this.#options;
    const query = `SELECT state AS state, info AS info FROM information_schema.processlist
       WHERE id <> CONNECTION_ID() AND user = SUBSTRING_INDEX(USER(), '@', 1) AND state LIKE '%lock%' AND info IS NOT NULL`;
    const [first] = await control.rows(query).catch((error: unknown) => {
      throw mysqlSourceError(error, label);
    });
    if (first === undefined) return;
    const state = String(first['state'] ?? '');
    const table = /`((?:[^`]|``)+)`\s*$/.exec(String(first['info']).split(/\bWHERE\b/)[0] ?? '')?.[1];
    const what = table === undefined ? 'a lock' : `a lock on the table ${table.replaceAll('``', '`')}`;
    throw new HoldfastError('source.busy', {
      message: `${label}: another program holds ${what}, which was waited for ${timeoutMs / 1000} s (${state})`,
      context: { table, timeoutMs },
    });
  }
}

/** The tool writes in pieces of 4 KiB; in larger ones a dump takes three quarters of the time. */
const largerWrites = ['stdbuf', '-o', '64K'] as const;

function unlessMissing(command: readonly string[]): readonly string[] {
  try {
    checkProgram({ command });
    return command;
  } catch {
    return [];
  }
}

/** What the tool says is read for the number of the server's error. */
function throwMeaning(label: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof HoldfastError) || error.code !== 'tool.failed') throw error;
    const number = Number(/(?:error:? |\()(\d{4})\b/i.exec(error.message)?.[1] ?? 0);
    const isGone = [1146, 1412, 1051, 1356].includes(number) || /Couldn't find table/i.test(error.message);
    const isLost = [2002, 2003, 2006, 2013, 2026, 1053, 1927].includes(number);
    const isDenied = [1044, 1045, 1142, 1227, 1698].includes(number);
    const isLocked = [1205, 1213].includes(number);
    const code = isGone ? 'source.changed' : isLocked ? 'source.busy' : undefined;
    const meaning = code ?? (isLost || isDenied ? 'source.unreadable' : undefined);
    if (meaning === undefined) throw error;
    const why = isGone ? 'a table was dropped or changed while it was backed up: ' : '';
    throw new HoldfastError(meaning, {
      message: `${label}: ${why}${error.message}`,
      context: error.context,
      cause: error,
    });
  };
}
