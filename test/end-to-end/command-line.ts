/** The command line in this process, for tests that run it often; of a configuration only JSON is read again when it changes. */
import type { CommandContext } from '../../src/cli/command-context.ts';
import { runCommandLine } from '../../src/cli/program.ts';
import { type Clock, systemClock } from '../../src/clock.ts';

/** What a command wrote, and how it ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in the present folder. Commands that it starts in processes of their own run here as well. */
export async function runHere(
  words: readonly string[],
  options: {
    readonly environment?: Readonly<Record<string, string | undefined>>;
    readonly clock?: Clock;
    readonly signal?: AbortSignal;
  } = {},
): Promise<CommandResult> {
  const { environment = {}, clock = systemClock, signal = new AbortController().signal } = options;
  const written = { stdout: '', stderr: '' };
  const context: CommandContext = {
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    environment,
    clock,
    signal,
    openTerminal: () => undefined,
    runCommand: async (others, stop) => {
      const { exitCode, stdout, stderr } = await runHere(others, { ...options, signal: stop });
      written.stderr += stderr;
      return { exitCode, output: stdout };
    },
    exitCode: 0,
  };
  const exitCode = await runCommandLine(words, context);
  return { exitCode, ...written };
}
