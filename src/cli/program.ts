import { Command, CommanderError } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { CommandContext } from './command-context.ts';
import { addCommands } from './commands.ts';
import { printError } from './print-error.ts';

const exitCodesText = `
Exit codes: 0 done, 1 failed, 2 usage, 3 done but something was left out or is suspect,
10 damaged but repairable, 11 beyond repair, 12 wrong key, 13 no archive, 14 not as the catalogue says,
130 interrupted.`;

/** The whole command line, or of a name the part that runs this command; nothing is started before a command is run. */
export async function buildProgram(context: CommandContext, name?: string): Promise<Command> {
  const program = new Command('holdfast')
    .description('Backs up databases and files into one encrypted archive that heals itself.')
    .option('-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .addHelpText('after', exitCodesText)
    .enablePositionalOptions();
  await addCommands(program, context, name);
  return program;
}

function prepare(command: Command, context: CommandContext): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => void context.stdout.write(text),
    writeErr: (text) => void context.stderr.write(text),
    // An error is printed once, in the form that all errors have.
    outputError: () => undefined,
    getOutHelpWidth: () => context.stdout.columns ?? 100,
    getErrHelpWidth: () => context.stderr.columns ?? 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  for (const child of command.commands) prepare(child, context);
}

/** A mistake on the command line, as the error that is shown. */
function toUsageError(error: CommanderError, command: string | undefined): HoldfastError {
  const [first = '', ...others] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = /\(Did you mean (?:one of )?(.+?)\?\)/.exec(others.join(' '))?.[1];
  return new HoldfastError('usage.invalid', {
    message: first.replace(/\.$/, '').replace(/ is invalid\. /, ' is invalid: '),
    hint:
      suggestion === undefined
        ? `see \`holdfast help${command === undefined ? '' : ` ${command}`}\``
        : `did you mean ${suggestion}?`,
  });
}

/** Runs one command line and returns its exit code; it never throws. */
export async function runCommandLine(commandLine: readonly string[], context: CommandContext): Promise<number> {
  const end = commandLine.indexOf('--');
  const json = (end < 0 ? commandLine : commandLine.slice(0, end)).includes('--json');
  const program = await buildProgram(context, commandLine[0]);
  prepare(program, context);
  try {
    await program.parseAsync(commandLine, { from: 'user' });
    return context.exitCode;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) return printError(context, thrown, json);
    if (thrown.code === 'commander.helpDisplayed') return 0;
    // Without any command the help was shown, on stderr.
    if (thrown.code === 'commander.help') return thrown.exitCode === 0 ? 0 : 2;
    const command = program.commands.find((one) => one.name() === commandLine[0])?.name();
    return printError(context, toUsageError(thrown, command), json);
  }
}
