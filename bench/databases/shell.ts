import type { Command } from '../measure.ts';

/** A line of the shell that fails when any of its programs does. */
export function shell(line: string, environment: Readonly<Record<string, string>> = {}): Command {
  return { program: 'bash', args: ['-c', `set -o pipefail; ${line}`], environment };
}
