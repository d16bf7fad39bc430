import { type Command, InvalidArgumentError } from 'commander';

/** Reads a whole number within limits. */
export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`it must be a whole number from ${minimum} to ${maximum}`);
    }
    return value;
  };
}

/** Reads a moment: ISO 8601 with its zone, or milliseconds since 1970-01-01T00:00Z. */
export function moment(text: string): number {
  const isDate = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text);
  const value = /^\d{1,15}$/.test(text) ? Number(text) : isDate ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(value)) return value;
  throw new InvalidArgumentError('it must be a moment such as 2026-01-15T02:00:00Z');
}

/** Adds `--threads`. */
export function addThreadsOption(command: Command): Command {
  return command.option('--threads <n>', 'worker threads (one a core, 8 at most)', wholeNumber(1, 64));
}
