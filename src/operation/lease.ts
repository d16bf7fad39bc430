import { type Clock, systemClock, systemWait, type Wait } from '../clock.ts';
import type { JobStore } from './scheduler.ts';

/** So long a holder that gives no sign of life keeps a job. */
const durationMs = 5 * 60_000;
const renewEveryMs = 60_000;

/** A job that is held until it is let go. */
export interface HeldLease {
  release(): Promise<void>;
}

/** What {@link holdLease} takes. */
export interface HoldLeaseOptions {
  readonly store: Pick<JobStore, 'takeLease' | 'renewLease' | 'releaseLease'>;
  readonly job: string;
  readonly clock?: Clock;
  readonly wait?: Wait;
}

/** Takes a job and keeps it, by renewing the lease; `held` where another has it. */
export async function holdLease(options: HoldLeaseOptions): Promise<HeldLease | 'held'> {
  const { store, job, clock = systemClock, wait = systemWait } = options;
  const lease = await store.takeLease(job, { nowMs: clock.nowMs(), durationMs });
  if (lease === undefined) return 'held';
  const ending = new AbortController();
  const renewing = renew();
  async function renew(): Promise<void> {
    while (!ending.signal.aborted && lease !== undefined) {
      try {
        await wait(renewEveryMs, ending.signal);
        await store.renewLease(lease, { nowMs: clock.nowMs(), durationMs });
      } catch {
        // Its end, or a store that fails for a moment: the lease has four more renewals until it is over.
      }
    }
  }
  return {
    release: async () => {
      ending.abort();
      await renewing;
      await store.releaseLease(lease);
    },
  };
}
