/** Cuts a plan that breaks a promise down to what it takes. */
import { type Plan, partCount, without } from './plan.ts';
import type { PlanResult } from './run-plan.ts';
import type { Failure } from './simulate-worlds.ts';

/** Leaves out whatever is not needed for the same promise to be broken: halves first, then part by part, until nothing more goes. */
export async function shrink(failure: Failure, play: (plan: Plan) => Promise<PlanResult>): Promise<Failure> {
  const { plan } = failure;
  const all = Array.from({ length: partCount(plan) }, (_, part) => part);
  let best = failure;
  for (let size = Math.ceil(all.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < all.length; start += size) {
      const chunk = all.slice(start, start + size).filter((part) => !best.dropped.has(part));
      if (chunk.length === 0) continue;
      const dropped = new Set([...best.dropped, ...chunk]);
      const { violation, events } = await play(without(plan, dropped));
      if (violation?.promise === failure.violation.promise) best = { plan, dropped, violation, events };
    }
  }
  return best;
}
