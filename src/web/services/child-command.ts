import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { progressVariable } from '../../cli/progress-line.ts';
import { systemWait } from '../../clock.ts';
import { type ErrorCode, errorTable, HoldfastError } from '../../errors.ts';
import type { BlockStep, Progress } from '../../operation/options.ts';
import type { Secret } from '../../secret.ts';

/** The command line as a program: `.ts` where the project runs from its sources. */
const program = fileURLToPath(
  new URL(`../../cli/start.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);
/** Results are small; of one that is not only the beginning is kept, and it tells nothing. */
const keptOutputLength = 16 * 1024 * 1024;
const keptLineLength = 4000;
/** A command that was asked to end, and does not, is ended after so long. */
const endWithinMs = 60_000;

/** A command of the command line in a process of its own: its memory is given back, and nothing that it meets ends the server. */
export interface ChildCommand {
  /** No secret is among them: everyone on the machine can read them. */
  readonly words: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Variables with secrets, for this process alone. */
  readonly secrets?: Readonly<Record<string, Secret>>;
  /** What it reads from its standard input, such as identities. */
  readonly input?: Secret;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly onBlocks?: (step: BlockStep) => void;
  readonly onLine?: (text: string) => void;
}

/** How a command ended. */
export interface EndedCommand {
  readonly exitCode: number;
  /** The object that it printed, where it did. */
  readonly result: Readonly<Record<string, unknown>> | undefined;
  /** Why it failed, where it said so. */
  readonly error: HoldfastError | undefined;
}

interface Started {
  readonly processId: number | undefined;
  readonly stdout: Readable;
  /** Its exit code; throws `operation.interrupted` where it was asked to end. */
  readonly ended: Promise<number>;
}

/** Starts a command; what it writes to its standard output has to be read. */
export function startCommand(command: ChildCommand): Started {
  const { words, folder, environment, secrets = {}, input, signal, onLine } = command;
  const revealed = Object.entries(secrets).map(([name, secret]) => [name, secret.reveal()]);
  const child = spawn(process.execPath, [program, ...words], {
    cwd: folder,
    env: { ...environment, ...Object.fromEntries(revealed), [progressVariable]: 'json' },
    // A session of its own: a Ctrl-C at the terminal comes by way of this process, once.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input === undefined ? '' : input.reveal());
  const { promise: ended, resolve, reject } = Promise.withResolvers<number>();
  const finished = new AbortController();
  const end = () => {
    child.kill('SIGTERM');
    systemWait(endWithinMs, finished.signal).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    );
  };
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  createInterface({ input: child.stderr, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
    const { progress, blocks } = readStep(line);
    if (progress !== undefined) command.onProgress?.(progress);
    else if (blocks !== undefined) command.onBlocks?.(blocks);
    else if (line.trim() !== '') onLine?.(line.slice(0, keptLineLength));
  });
  child.on('error', (cause) => {
    reject(new HoldfastError('tool.failed', { message: `the command cannot be started: ${cause.message}`, cause }));
  });
  child.on('close', (exitCode, by) => {
    finished.abort();
    signal.removeEventListener('abort', end);
    if (signal.aborted) reject(new HoldfastError('operation.interrupted'));
    else if (exitCode !== null) resolve(exitCode);
    else reject(new HoldfastError('tool.failed', { message: `holdfast ${words[0]} was ended by ${by}` }));
  });
  return { processId: child.pid, stdout: child.stdout, ended };
}

/** Runs a command whose result is JSON. Throws `tool.failed` where it was ended, `operation.interrupted`. */
export async function runCommand(
  command: ChildCommand,
  onStart?: (processId: number | undefined) => void,
): Promise<EndedCommand> {
  const { processId, stdout, ended } = startCommand(command);
  onStart?.(processId);
  let output = '';
  stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text.slice(0, keptOutputLength - output.length);
  });
  const exitCode = await ended;
  const result = readResult(output);
  return { exitCode, result, error: errorOf(result) };
}

function readStep(line: string): { readonly progress?: Progress; readonly blocks?: BlockStep } {
  if (!line.startsWith('{"progress":') && !line.startsWith('{"blocks":')) return {};
  try {
    return JSON.parse(line);
  } catch {
    // Another program wrote into the line: it is shown as it is.
    return {};
  }
}

function readResult(output: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(output);
    if (Array.isArray(parsed)) return { items: parsed };
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    // It ended without a word: its exit code is all there is to tell.
    return undefined;
  }
}

function errorOf(result: Readonly<Record<string, unknown>> | undefined): HoldfastError | undefined {
  const error = result?.['error'] as { code?: unknown; message?: unknown; hint?: unknown } | undefined;
  if (typeof error?.code !== 'string' || !(error.code in errorTable)) return undefined;
  return new HoldfastError(error.code as ErrorCode, { message: String(error.message), hint: String(error.hint ?? '') });
}
