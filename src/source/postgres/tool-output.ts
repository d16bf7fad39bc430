import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import { RunningProgram } from '../command/running-program.ts';
import { releaseMemory } from '../release-memory.ts';
import type { EntryBytes } from '../source.ts';

/** Longer than any dump: a lock is not waited for so long, and a run that is given up ends the tool. */
const runLimitMs = 20 * 24 * 60 * 60 * 1000;
const tailBytes = 512;

/** A tool of PostgreSQL whose output is an entry. */
export interface ToolOutputOptions {
  readonly command: readonly string[];
  readonly variables: Readonly<Record<string, string | Secret>>;
  /** What stands near the end of a complete output. */
  readonly endMark?: string;
  readonly label: string;
  readonly signal: AbortSignal | undefined;
  /** Called with each piece, in order. */
  readonly onBytes?: (bytes: Buffer) => void;
}

/** The output of a tool, judged at its end: by its exit status, and by the mark that a complete output ends with. */
export async function* toolOutput(options: ToolOutputOptions): EntryBytes & AsyncGenerator<Buffer> {
  const { command, endMark, label, signal, onBytes } = options;
  const variables = { ...options.variables, LC_ALL: 'C.UTF-8' };
  const program = new RunningProgram({ command, variables, timeoutMs: runLimitMs }, 'output', signal);
  let tail = Buffer.alloc(0);
  try {
    try {
      for await (const bytes of program.output as AsyncIterable<Buffer>) {
        onBytes?.(bytes);
        tail = Buffer.concat([tail, bytes.subarray(-tailBytes)]).subarray(-tailBytes);
        yield bytes;
        releaseMemory(bytes);
      }
    } catch (error) {
      // A cut is told by how the program ended.
      throwIfAborted(signal);
      await program.end();
      throw error;
    }
    throwIfAborted(signal);
    await program.end();
  } catch (error) {
    throw toolError(error, label);
  } finally {
    await program.kill();
  }
  if (endMark === undefined || tail.includes(endMark)) return;
  throw new HoldfastError('source.incomplete', { message: `${label}: the dump does not end as a complete one does` });
}

/** What the tool said is read for what it means. */
function toolError(error: unknown, label: string): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'tool.failed') return error;
  const { message, context } = error;
  const table = /LOCK TABLE (?:ONLY )?(.+?) IN ACCESS SHARE MODE/.exec(message)?.[1];
  if (/lock timeout|could not obtain lock/.test(message)) {
    const what = table === undefined ? 'a table' : `the table ${table.replaceAll('"', '')}`;
    return new HoldfastError('source.busy', {
      message: `${label}: another program holds or wants a lock on ${what}, which was waited for in vain`,
      context: { ...context, table },
      cause: error,
    });
  }
  const isUnreadable = /permission denied|connection|terminat|authentication|row-level security|server closed/i;
  if (!isUnreadable.test(message)) return error;
  return new HoldfastError('source.unreadable', { message: `${label}: ${message}`, context, cause: error });
}
