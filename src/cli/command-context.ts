import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../clock.ts';
import type { Progress } from '../operation/options.ts';
import type { RunLog } from './run-log.ts';

/** A stream of text on its way out: a terminal when `isTTY`. */
export interface TextOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Keys as they are typed: what a prompt needs of a terminal's input. */
export interface TerminalInput extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(enabled: boolean): unknown;
}

/** A person at a terminal. */
export interface Terminal {
  readonly input: TerminalInput;
  readonly output: Writable & TextOutput;
  close(): void;
}

/** The world as a command sees it: results go to `stdout`, all else to `stderr`. */
export interface CommandContext {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** The terminal to ask on; undefined where nobody sits. */
  openTerminal(): Terminal | undefined;
  /**
   * Runs another command of this program in a process of its own, whose memory is given back when it ends. Aborting asks it to end. Gives
   * its exit code, and the beginning of what it wrote to its stdout. What it writes to its stderr goes to that of this process, or, line
   * by line, to `onErrorLine`. How far it is comes at most once a second.
   */
  runCommand(
    words: readonly string[],
    signal: AbortSignal,
    options?: {
      /** Variables beside those of this process. */
      readonly environment?: Readonly<Record<string, string>>;
      readonly onErrorLine?: (line: string) => void;
      readonly onProgress?: (progress: Progress) => void;
    },
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
  /** Tells the command that started this one how far it is; absent where none did. */
  readonly reportProgress?: (progress: Progress) => void;
  /** Calls back at each SIGHUP, which interrupts otherwise; gives what stops that. */
  onHangup?(listener: () => void): () => void;
  /** The run of the history that was recorded last: what is told of it is recorded with it. */
  recordedRun?: string;
  /** Keeps what is written to `stderr` for the record of runs; absent where nobody wants it. */
  readonly runLog?: RunLog;
  /** Set by a command that ends well but not with 0. */
  exitCode: number;
}

/** The option that every command has. */
export interface OutputOptions {
  readonly json?: boolean;
}
