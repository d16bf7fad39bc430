import { HoldfastError } from '../errors.ts';
import type { CommandContext } from './command-context.ts';
import { runForResult } from './run-job.ts';
import type { ListedSchedule } from './schedule-command.ts';

/**
 * The jobs that run by themselves. The configuration is read in a process of its own: what that takes (a compiler for TypeScript, the
 * schema, whatever the file imports) is some 40 MiB, which this one would keep for months.
 */
export async function readSchedules(context: CommandContext): Promise<ListedSchedule> {
  const listed = await runForResult<ListedSchedule>(['schedule', 'list'], context, context.signal);
  return { ...listed, jobs: listed.jobs.filter(({ enabled }) => enabled) };
}

/** Of a `serve` that would do nothing. */
export function nothingScheduled(): HoldfastError {
  return new HoldfastError('config.invalid', { message: 'no job is scheduled', hint: 'see `holdfast schedule list`' });
}
