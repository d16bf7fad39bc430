import { delay } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { CommandContext } from './command-context.ts';
import { toHoldfastError } from './print-error.ts';
import { printJson, printNote } from './print-result.ts';
import { printRegistered, type RegisterReport } from './register-schedules.ts';
import { runForResult } from './run-job.ts';

/** The configuration is looked at again after so long, and a queue that lost its schedules gets them back. */
const registerEveryMs = 5 * 60_000;

/** Workers run the jobs: here it is only seen to that the queue knows them. */
export async function keepRegistered(json: boolean, context: CommandContext): Promise<void> {
  const { signal, clock } = context;
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    try {
      const report = await runForResult<RegisterReport>(['schedule', 'register'], context, signal);
      const { added, changed, removed, missed, overdue } = report;
      if (json && (isFirst || [added, changed, removed, missed, overdue].some((jobs) => jobs.length > 0))) {
        printJson(context, { event: 'registered', timeMs: clock.nowMs(), ...report });
      } else if (!json) printRegistered(report, isFirst, context);
    } catch (error) {
      if (signal.aborted) return;
      // A queue that is away may be back; a configuration that is wrong says so at the start.
      if (isFirst && !(error instanceof HoldfastError && error.retryable)) throw error;
      const { code, message, hint } = toHoldfastError(error);
      if (json) printJson(context, { event: 'problem', timeMs: clock.nowMs(), error: { code, message, hint } });
      else printNote(context, `${message} [${code}]`);
    }
    await delay(registerEveryMs, signal);
  }
}
