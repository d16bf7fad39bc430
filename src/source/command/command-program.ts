import { accessSync, constants, statSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { HoldfastError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';

/** A program to be run, without a shell. */
export interface CommandProgram {
  /** The program and its arguments. Everyone on the machine can see them: a password goes into an environment variable. */
  readonly command: readonly string[];
  /** Names of environment variables that it gets besides those that every program needs (`PATH`, `HOME`, …). */
  readonly environment?: readonly string[];
  /** More variables, with their values. */
  readonly variables?: Readonly<Record<string, string | Secret>>;
  /** How long it may run, in milliseconds; a day unless set. */
  readonly timeoutMs?: number;
}

/** What programs need to run at all. Holdfast's own variables, which may hold a passphrase, are not for them. */
const commonVariables = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SystemRoot'] as const;

/** The environment of a program. Throws `usage.invalid` for a variable that is not set. */
export function environmentOf(program: CommandProgram): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of commonVariables) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  for (const name of program.environment ?? []) {
    const value = process.env[name];
    if (value === undefined) {
      throw new HoldfastError('usage.invalid', {
        message: `the environment variable ${name} is not set, which ${programName(program)} is to get`,
        hint: `set $${name}`,
      });
    }
    environment[name] = value;
  }
  for (const [name, value] of Object.entries(program.variables ?? {})) {
    environment[name] = typeof value === 'string' ? value : value.reveal();
  }
  return environment;
}

/** Name of a program for people: its arguments may hold what is nobody's business. */
export function programName({ command }: CommandProgram): string {
  return basename(command[0] ?? '');
}

/** Checks that the program is there. Throws `tool.not_found`, `usage.invalid`. */
export function checkProgram(program: CommandProgram): void {
  const [file = ''] = program.command;
  if (file === '' || program.command.some((word) => word.includes('\0'))) {
    throw new HoldfastError('usage.invalid', { message: 'a command begins with the name of a program' });
  }
  const path = environmentOf(program)['PATH'] ?? '';
  const places = /[/\\]/.test(file) ? [file] : path.split(delimiter).map((folder) => join(folder, file));
  if (!places.some(isExecutable)) throw notFound(program);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The error for a program that is not there. */
export function notFound(program: CommandProgram, cause?: unknown): HoldfastError {
  const [file = ''] = program.command;
  return new HoldfastError('tool.not_found', {
    message: `there is no program ${file}`,
    hint: 'install it, or give its path; for a line of a shell write sh -c "…"',
    context: { program: file },
    cause,
  });
}
