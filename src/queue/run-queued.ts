import { HoldfastError } from '../errors.ts';

/** What becomes of a job after a run. */
export type RunEnd =
  | { readonly end: 'succeeded' }
  | { readonly end: 'cancelled' | 'failed' | 'postponed' | 'returned'; readonly error: string };

/** The error for an end of somebody's wish. */
export const cancelledText = 'it was cancelled [operation.interrupted]';

/** An error as a queue keeps it: its message, with its code in brackets. */
export function errorText(error: unknown): string {
  if (error instanceof HoldfastError) return `${error.message} [${error.code}]`;
  return `${error instanceof Error ? error.message : String(error)} [operation.failed]`;
}

/** Says what an error of a run means, given why its signal was aborted, if it was. */
export function endOf(error: unknown, aborted: 'cancelled' | 'ending' | undefined): RunEnd {
  const code = error instanceof HoldfastError ? error.code : undefined;
  const text = errorText(error);
  if (aborted === 'cancelled' && code === 'operation.interrupted') return { end: 'cancelled', error: cancelledText };
  if (aborted === 'ending' && code === 'operation.interrupted') return { end: 'returned', error: text };
  return { end: code === 'job.running' ? 'postponed' : 'failed', error: text };
}
