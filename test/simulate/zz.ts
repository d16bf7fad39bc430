import { describePlan } from './describe-plan.ts';
import { product } from './mistakes.ts';
import { simulate } from './simulate-worlds.ts';

for (const [seed, stride, runs] of [
  [12, 32, 40],
  [13, 16, 20],
] as const) {
  const r = await simulate({ seed, stride, runs, system: product, shrinks: false });
  for (const f of r.failures) console.log(describePlan(f));
  console.log(
    seed,
    r.durationMs / r.runs,
    [...r.tally]
      .filter(([w]) => /^fault source|^backup|restore/.test(w))
      .map((x) => x.join(' '))
      .join(', '),
  );
}
