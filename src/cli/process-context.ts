import { once } from 'node:events';
import { openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { ReadStream, WriteStream } from 'node:tty';
import { systemClock, systemWait } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { Progress } from '../operation/options.ts';
import type { CommandContext, Terminal } from './command-context.ts';
import { RunLog } from './run-log.ts';

/** The world of this process: its streams, environment and signals. */
export function openProcessContext(): CommandContext {
  const interruption = new AbortController();
  let isAsked = false;
  const interrupt = () => {
    // The first one lets the run clean up behind itself, the second one does not wait: not even for a call that a dead network
    // file system never answers, as process.exit() would. The signal's own way ends the process at once; a shell shows it as 130.
    if (!isAsked) {
      isAsked = true;
      return interruption.abort();
    }
    process.removeAllListeners('SIGINT');
    process.kill(process.pid, 'SIGINT');
  };
  // A terminal that closes says so more than once, and systemd beside its SIGTERM: it never counts as the second. Under nohup too: Node
  // takes back that the signal is ignored, and nothing tells whether it was.
  const hangUp = () => interruption.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt).on('SIGHUP', hangUp);
  const runLog = new RunLog(systemClock, process.env);
  return {
    stdout: process.stdout,
    stderr: runLog.listen(process.stderr),
    runLog,
    environment: process.env,
    clock: systemClock,
    signal: interruption.signal,
    openTerminal,
    runCommand,
    ...progressReporter(),
    onHangup: (listener) => {
      // In this order: a signal that nobody listens to ends the process.
      process.on('SIGHUP', listener).off('SIGHUP', hangUp);
      return () => void process.on('SIGHUP', hangUp).off('SIGHUP', listener);
    },
    exitCode: 0,
  };
}

/** Says that a command was started by another one, which listens. */
const listenedVariable = 'HOLDFAST_PROGRESS';
/** How far a command is, is told once in so long. */
const reportEveryMs = 1_000;

function progressReporter(): Pick<CommandContext, 'reportProgress'> {
  if (process.send === undefined || process.env[listenedVariable] !== 'ipc') return {};
  let toldMs = Number.NEGATIVE_INFINITY;
  return {
    reportProgress: (progress) => {
      const nowMs = systemClock.monotonicMs();
      if (nowMs - toldMs < reportEveryMs || !process.connected) return;
      toldMs = nowMs;
      // Whoever listened may have died meanwhile: the work goes on.
      process.send?.({ progress }, () => undefined);
    },
  };
}

/** As much of what a command writes is kept, in characters: results of interest are short. */
const keptOutputLength = 4 * 1024 * 1024;
/** A command that was asked to end, and does not, is ended after so long. */
const endWithinMs = 60_000;

async function runCommand(
  words: readonly string[],
  signal: AbortSignal,
  { environment, onErrorLine, onProgress }: NonNullable<Parameters<CommandContext['runCommand']>[2]> = {},
): Promise<{ exitCode: number; output: string }> {
  const { spawn } = await import('node:child_process');
  throwIfAborted(signal);
  const [program = ''] = process.argv.slice(1);
  // A session of its own: a Ctrl-C at the terminal comes by way of this process, once.
  const child = spawn(process.execPath, [...process.execArgv, program, ...words], {
    detached: true,
    stdio: ['ignore', 'pipe', onErrorLine === undefined ? 'inherit' : 'pipe', 'ipc'],
    env: { ...process.env, ...environment, [listenedVariable]: 'ipc' },
  });
  child.on('message', (message: { readonly progress?: Progress }) => {
    if (message.progress !== undefined) onProgress?.(message.progress);
  });
  const { stdout } = child;
  if (stdout === null) throw new HoldfastError('operation.failed', { message: 'a command has no output' });
  const finished = new AbortController();
  const end = () => {
    child.kill('SIGTERM');
    systemWait(endWithinMs, finished.signal).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    );
  };
  signal.addEventListener('abort', end, { once: true });
  if (onErrorLine !== undefined && child.stderr !== null) splitLines(child.stderr, onErrorLine);
  let output = '';
  stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text.slice(0, keptOutputLength - output.length);
  });
  try {
    const [exitCode, by] = (await once(child, 'close')) as [number | null, string | null];
    throwIfAborted(signal);
    if (exitCode !== null) return { exitCode, output };
    throw new HoldfastError('tool.failed', {
      message: `holdfast ${words[0]} was ended by ${by}`,
      context: { endedBy: by },
    });
  } finally {
    finished.abort();
    signal.removeEventListener('abort', end);
  }
}

/** A longer line of a command is cut. */
const lineLengthLimit = 8 * 1024;

function splitLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(0, lineLengthLimit);
    for (const line of lines) if (line !== '') onLine(line.slice(0, lineLengthLimit));
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}

/** The terminal behind stdin; where stdin is a pipe, the one that the process was started from. */
function openTerminal(): Terminal | undefined {
  if (process.stdin.isTTY && process.stderr.isTTY) {
    return { input: process.stdin, output: process.stderr, close: () => process.stdin.unref() };
  }
  let input: ReadStream | undefined;
  try {
    // Two descriptors: each stream closes its own.
    input = new ReadStream(openTerminalDevice('r'));
    const output = new WriteStream(openTerminalDevice('r+'));
    const opened = input;
    return {
      input: opened,
      output,
      close: () => {
        opened.destroy();
        output.destroy();
      },
    };
  } catch {
    // Without a terminal the device cannot be opened: that is the answer, not a failure.
    input?.destroy();
    return undefined;
  }
}

function openTerminalDevice(flags: string): number {
  return openSync('/dev/tty', flags);
}
