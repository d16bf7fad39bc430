import type { Log } from '../log/log.ts';
import type { SchedulerEvent } from '../operation/scheduler.ts';
import { formatMoment } from './format-value.ts';

/** What `serve` tells. */
export type ServeEvent =
  | SchedulerEvent
  | {
      /** After a SIGHUP: the configuration was read again, or could not be, and all is as it was. */
      readonly event: 'reloaded' | 'reload-failed';
      readonly timeMs: number;
      readonly jobs?: readonly string[];
      readonly error?: SchedulerEvent['error'];
    };

const texts = {
  started: 'started',
  ended: 'done',
  failed: 'failed',
  held: 'another process is at it',
  overdue: 'overdue: another run of it is still at work',
  problem: 'the history cannot be used',
  reloaded: 'the configuration was read again',
  'reload-failed': 'the configuration is kept as it was',
} as const satisfies Record<ServeEvent['event'], string>;

const levels: { readonly [Event in ServeEvent['event']]?: 'warn' | 'error' } = {
  failed: 'error',
  overdue: 'warn',
  problem: 'warn',
  'reload-failed': 'error',
};

/** Writes an event to the log, with the run that it is about. */
export function logEvent({ timeMs: _, ...event }: ServeEvent, runId: string | undefined, log: Log): void {
  const missedMs = 'missedMs' in event ? event.missedMs : undefined;
  const late = missedMs === undefined ? '' : `, missed at ${formatMoment(missedMs)}`;
  const why = event.error === undefined ? '' : `: ${event.error.message}`;
  // Who waits for another process has no run.
  const fields = event.event === 'held' || runId === undefined ? event : { ...event, runId };
  log[levels[event.event] ?? 'info'](`${texts[event.event]}${late}${why}`, fields);
}
