import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { type Command, Option } from 'commander';
import type { LogSettings } from '../config/log-settings.ts';
import { type Log, type LogFormat, type LogLevel, logFormats, logLevels, openLog } from '../log/log.ts';
import type { CommandContext } from './command-context.ts';

/** What the command line says about the log. */
export interface LogOptions {
  readonly logFormat?: LogFormat;
  readonly logLevel?: LogLevel;
}

/** Adds `--log-format` and `--log-level`. */
export function addLogOptions(command: Command): Command {
  return command
    .addOption(new Option('--log-format <format>', 'how the log is written to stderr (text)').choices(logFormats))
    .addOption(new Option('--log-level <level>', 'leave out what matters less (info)').choices(logLevels));
}

/** The log of a command that runs for long; the command line goes before the configuration. */
export async function openCommandLog(
  { logFormat, logLevel }: LogOptions,
  { format, level }: LogSettings,
  context: CommandContext,
): Promise<Log> {
  const { clock } = context;
  const environment = { ...(await readEnvFile()), ...context.environment };
  return await openLog({
    format: logFormat ?? format,
    level: logLevel ?? level,
    write: (line) => context.stderr.write(line),
    environment,
    clock,
  });
}

/** The variables of `.env`, which hold secrets as well; a file that cannot be read is told by those who need it. */
async function readEnvFile(): Promise<Record<string, string | undefined>> {
  try {
    return parseEnv(await readFile('.env', 'utf8'));
  } catch {
    return {};
  }
}

/** Gives what another command of this program writes to its stderr to the log: problems as warnings, hints as they are. */
export function logCommandLine(line: string, log: Log, fields: { readonly [name: string]: unknown }): void {
  const [, problem] = /^holdfast: (.*)$/.exec(line) ?? [];
  if (problem !== undefined) log.warn(problem, fields);
  else log.info(line, fields);
}
