import { Argument, type Command } from 'commander';
import type { HoldfastConfig } from '../config/config-schema.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import type { CompletedShell } from './completion-scripts.ts';
import { printable } from './format-value.ts';
import { printJson, printLines } from './print-result.ts';

const shells: readonly CompletedShell[] = ['bash', 'zsh', 'fish'];

/** Adds `holdfast completion`. */
export function addCompletionCommand(program: Command, context: CommandContext): void {
  program
    .command('completion')
    .description('print what makes the tab key of a shell complete holdfast: eval "$(holdfast completion bash)"')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .argument(
      '[words...]',
      'after --: the words of a command line, of which the last is completed; the shell calls this',
    )
    .option('--json', 'print the result as JSON')
    .action(async (shell: CompletedShell, words: readonly string[], { json }: OutputOptions) => {
      if (words.length > 0) return await printCompletion(program, words, context);
      const { completionScripts } = await import('./completion-scripts.ts');
      const script = completionScripts[shell];
      if (json) printJson(context, { shell, script });
      else context.stdout.write(script);
    });
}

async function printCompletion(program: Command, words: readonly string[], context: CommandContext): Promise<void> {
  const { complete } = await import('./completion.ts');
  const { files, candidates } = await complete(program, words, {
    storages: async () => {
      const { configuredStorages } = await import('../config/configured-storages.ts');
      return await namesFrom(context, (config) => configuredStorages(config).map(({ name }) => name));
    },
    jobs: async () => {
      const { configuredJobs } = await import('../config/scheduled-jobs.ts');
      return await namesFrom(context, (config) => configuredJobs(config).map(({ name }) => name));
    },
  });
  printLines(context, [
    files ? ':files' : ':words',
    ...candidates.map(({ value, description }) => `${printable(value)}\t${printable(description)}`),
  ]);
}

/** Without a configuration that can be read there are no names: who presses the tab key wants no error in the middle of a line. */
async function namesFrom(
  context: CommandContext,
  read: (config: HoldfastConfig) => readonly string[],
): Promise<readonly string[]> {
  const { loadConfig } = await import('../config/load-config.ts');
  try {
    return read((await loadConfig('.', context.environment)).config);
  } catch {
    return [];
  }
}
