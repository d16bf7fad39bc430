/** A process of {@link simulateInProcesses}: plays what it is told to, and tells what came of it. */
import { once } from 'node:events';
import { describePlan } from './describe-plan.ts';
import { product } from './mistakes.ts';
import type { Share, Told } from './simulate-processes.ts';
import { simulate } from './simulate-worlds.ts';

function tell(told: Told): void {
  process.send?.(told);
}

const stop = new AbortController();
// A key that interrupts reaches the children too: each tells what it has seen.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
process.once('disconnect', () => stop.abort());
const [{ dropped, ...share }] = (await once(process, 'message')) as [Share];
const { failures, tally, runs } = await simulate({
  ...share,
  dropped: new Set(dropped),
  system: product,
  signal: stop.signal,
  onFailure: (failure) => tell({ failure: describePlan(failure) }),
});
tell({ summary: { runs, failures: failures.length, tally: [...tally] } });
process.disconnect?.();
