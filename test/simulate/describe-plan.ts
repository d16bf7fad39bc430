/** A failure for people. */

import { without } from './plan.ts';
import type { Failure } from './simulate-worlds.ts';

/** The shortest plan, what came of it, and the command that plays it again. */
export function describePlan({ plan, dropped, violation, events }: Failure): string {
  const short = without(plan, dropped);
  const drop = dropped.size === 0 ? '' : ` --drop ${[...dropped].sort((a, b) => a - b).join(',')}`;
  const steps = short.steps.map(({ does, faults, beside }, index) => {
    const lines = [`  ${index + 1}. ${JSON.stringify(does)}`];
    for (const fault of faults) lines.push(`     with ${JSON.stringify(fault)}`);
    if (beside !== undefined) {
      lines.push(`     beside ${JSON.stringify(beside.does)}`);
      for (const fault of beside.faults) lines.push(`       with ${JSON.stringify(fault)}`);
    }
    return lines.join('\n');
  });
  return [
    `BROKEN by seed ${plan.seed}: ${violation.message}`,
    `  world ${JSON.stringify(short.world)}`,
    ...steps,
    ...events.map((event) => `  > ${event}`),
    `  npm run simulate -- --seed ${plan.seed}${drop} --events`,
  ].join('\n');
}
