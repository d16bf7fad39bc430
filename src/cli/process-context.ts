import { openSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';
import { systemClock } from '../clock.ts';
import type { CommandContext, Terminal } from './command-context.ts';

/** The world of this process: its streams, environment and signals. */
export function openProcessContext(): CommandContext {
  const interruption = new AbortController();
  const interrupt = () => {
    // The first one lets the run clean up behind itself, the second one does not wait: not even for a call that a dead network
    // file system never answers, as process.exit() would. The signal's own way ends the process at once; a shell shows it as 130.
    if (!interruption.signal.aborted) return interruption.abort();
    process.removeAllListeners('SIGINT');
    process.kill(process.pid, 'SIGINT');
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    clock: systemClock,
    signal: interruption.signal,
    openTerminal,
    exitCode: 0,
  };
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
