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

/** Adds `--threads`. */
export function addThreadsOption(command: Command): Command {
  return command.option('--threads <n>', 'worker threads (one a core, 8 at most)', wholeNumber(1, 64));
}
