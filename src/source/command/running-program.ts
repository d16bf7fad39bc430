import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { timeoutSignal } from '../../clock.ts';
import { isRunning } from '../../disk/process-life.ts';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import { systemCode } from '../system-error.ts';
import { type CommandProgram, environmentOf, notFound, programName } from './command-program.ts';
import { OutputTail } from './output-tail.ts';

const defaultTimeoutMs = 24 * 60 * 60 * 1000;
/** How long a program may take to end when it is told to. */
const graceMs = 5_000;
/** What a program said last may arrive after its end; one that it left running may hold the pipe open for ever. */
const lastWordsMs = 1_000;

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * A program at work, with all that it starts in a process group of its own, so that it can be ended whole: when the signal is
 * aborted, when its time is up, and when this process ends.
 */
export class RunningProgram {
  readonly #program: CommandProgram;
  readonly #use: 'output' | 'input';
  readonly #child: ChildProcess;
  readonly #tail: OutputTail;
  readonly #ending: Promise<Ending>;
  readonly #closed: Promise<unknown>;
  #stopped: HoldfastError | undefined;
  /** Nothing of the process group was left when it was looked for: another one may have its number by now. */
  #isGroupGone = false;

  /** Starts it. With `use: 'output'` its output is read, else it is fed, and its output is kept for messages. */
  constructor(program: CommandProgram, use: 'output' | 'input', signal: AbortSignal | undefined) {
    throwIfAborted(signal);
    const environment = environmentOf(program);
    const [file = '', ...args] = program.command;
    const stdin = use === 'input' ? 'pipe' : 'ignore';
    const isWindows = process.platform === 'win32';
    this.#program = program;
    this.#use = use;
    const secrets = Object.values(program.variables ?? {}).flatMap((value) =>
      typeof value === 'string' ? [] : [value.reveal()],
    );
    this.#tail = new OutputTail([...(program.environment ?? []).map((name) => environment[name] ?? ''), ...secrets]);
    this.#child = spawn(file, args, { env: environment, stdio: [stdin, 'pipe', 'pipe'], detached: !isWindows });
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#tail.add(chunk));
    if (use === 'input') this.#child.stdout?.on('data', (chunk: Buffer) => this.#tail.add(chunk));
    // A broken pipe is told by how the program ended.
    this.#child.stdin?.on('error', () => undefined);
    const unwatch = this.#watch(signal);
    // What it left running may hold the output open, which is read to its end.
    const outputClosed = Promise.withResolvers<void>();
    this.#child.stdout?.once('close', outputClosed.resolve);
    this.#ending = this.#waitForEnd();
    this.#ending.then(() => (use === 'output' ? outputClosed.promise : undefined)).then(unwatch, unwatch);
    this.#closed = once(this.#child, 'close').catch(() => undefined);
  }

  get output(): Readable {
    return this.#child.stdout as Readable;
  }

  /** Hands over bytes; when it comes back their memory may be used again. Throws as {@link end} does when the program ended. */
  async write(bytes: Uint8Array): Promise<void> {
    const { promise: written, resolve } = Promise.withResolvers<Error | null | undefined>();
    (this.#child.stdin as Writable).write(bytes, resolve);
    const failure = await Promise.race([written, this.#ending.then(() => 'ended' as const)]);
    if (failure === null || failure === undefined) return;
    await this.end();
    throw new HoldfastError('tool.failed', {
      message: `${programName(this.#program)} ended before it had read everything${this.#said()}`,
    });
  }

  /** Tells it that there are no more bytes. */
  finishInput(): void {
    this.#child.stdin?.end();
  }

  /** Waits for its end. Throws `tool.failed` unless it ended with 0, `tool.timeout`, `tool.not_found`, `operation.interrupted`. */
  async end(): Promise<void> {
    const { code, signal } = await this.#ending;
    const late = timeoutSignal(lastWordsMs);
    await Promise.race([this.#closed, once(late, 'abort')]);
    if (this.#stopped !== undefined) throw this.#stopped;
    if (code === 0) return;
    const how = code === null ? `was ended by ${signal}` : `ended with exit code ${code}`;
    throw new HoldfastError('tool.failed', {
      message: `${programName(this.#program)} ${how}${this.#said()}`,
      context: { program: programName(this.#program), exitCode: code },
    });
  }

  /** Ends it and what it started, and waits until it is gone. May be repeated. */
  async kill(): Promise<void> {
    this.#stop(new HoldfastError('operation.interrupted'));
    await this.#ending.catch(() => undefined);
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  #said(): string {
    const { text } = this.#tail;
    return text === '' ? '' : `: ${text}`;
  }

  get #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Ends it when its time is up, when the signal is aborted, and with this process. Returns what makes an end of that. */
  #watch(signal: AbortSignal | undefined): () => void {
    const { timeoutMs = defaultTimeoutMs } = this.#program;
    const limit = timeoutSignal(timeoutMs);
    const onLimit = () => {
      const message = `${programName(this.#program)} did not end within ${timeoutMs / 1000} s`;
      this.#stop(new HoldfastError('tool.timeout', { message }));
    };
    const onAbort = () => this.#stop(new HoldfastError('operation.interrupted', { cause: signal?.reason }));
    const onExit = () => this.#signalGroup('SIGKILL');
    limit.addEventListener('abort', onLimit);
    signal?.addEventListener('abort', onAbort);
    process.on('exit', onExit);
    return () => {
      limit.removeEventListener('abort', onLimit);
      signal?.removeEventListener('abort', onAbort);
      process.off('exit', onExit);
    };
  }

  async #waitForEnd(): Promise<Ending> {
    try {
      const [code, name] = (await once(this.#child, 'exit')) as [number | null, NodeJS.Signals | null];
      return { code, signal: name };
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') throw notFound(this.#program, cause);
      const message = `${programName(this.#program)} could not be started: ${systemCode(cause)}`;
      throw new HoldfastError('tool.failed', { message, cause });
    } finally {
      // What it started does not outlive a run that was given up.
      this.#signalGroup(this.#stopped === undefined ? 0 : 'SIGKILL');
    }
  }

  #stop(reason: HoldfastError): void {
    const isOver = this.#hasExited && (this.#use === 'input' || this.output.readableEnded);
    if (this.#stopped !== undefined || isOver) return;
    this.#stopped = reason;
    if (this.#hasExited) this.#signalGroup('SIGKILL');
    else {
      this.#signalGroup('SIGTERM');
      timeoutSignal(graceMs).addEventListener('abort', () => this.#signalGroup('SIGKILL'));
    }
    // What a child of it still holds open must not be waited for.
    this.#child.stdout?.destroy();
  }

  /** 0 only asks whether there is one. */
  #signalGroup(name: NodeJS.Signals | 0): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#isGroupGone) return;
    const hasExited = this.#hasExited;
    try {
      if (process.platform === 'win32') this.#child.kill(name);
      // A group keeps its number from being given again: a process that has it means that there is another group.
      else if (hasExited && isRunning(pid)) this.#isGroupGone = true;
      else process.kill(-pid, name);
    } catch (error) {
      if (systemCode(error) === 'ESRCH') this.#isGroupGone = hasExited;
      else if (!hasExited) throw error;
    }
  }
}
