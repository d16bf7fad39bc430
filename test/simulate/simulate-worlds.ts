/** Many worlds, one after the other. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHistory } from '../../src/history/history.ts';
import { makePlan } from './make-plan.ts';
import type { System } from './mistakes.ts';
import { type Plan, without } from './plan.ts';
import { type PlanResult, runPlan } from './run-plan.ts';
import { shrink } from './shrink.ts';

/** A plan that breaks a promise. */
export interface Failure {
  readonly plan: Plan;
  /** What of it can be left out while it fails in the same way. */
  readonly dropped: ReadonlySet<number>;
  readonly violation: NonNullable<PlanResult['violation']>;
  readonly events: readonly string[];
}

/** What {@link simulate} takes. */
export interface SimulateOptions {
  /** The first world's; each next one has the next number, or that many above with `stride`. */
  readonly seed: number;
  readonly stride?: number;
  readonly runs: number;
  readonly system: System;
  /** Parts of the plans that are left out. */
  readonly dropped?: ReadonlySet<number>;
  /** Ends at so many failures; 5 unless set. */
  readonly maximumFailures?: number;
  /** Whether a failure is cut down; true unless set. */
  readonly shrinks?: boolean;
  /** Ends it before the next world. */
  readonly signal?: AbortSignal;
  onFailure?(failure: Failure): void;
  onEvents?(events: readonly string[]): void;
}

/** What {@link simulate} found. */
export interface SimulateResult {
  readonly runs: number;
  readonly failures: readonly Failure[];
  /** Faults that came to pass, and how each action came out. */
  readonly tally: ReadonlyMap<string, number>;
  readonly durationMs: number;
}

/** Plays the worlds of consecutive seeds, in memory and in a folder of a file system in memory where there is one. */
export async function simulate(options: SimulateOptions): Promise<SimulateResult> {
  const { seed, stride = 1, system, dropped = new Set(), maximumFailures = 5, shrinks = true } = options;
  const parent = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-simulate-'));
  const history = await openHistory({ path: ':memory:' });
  const play = (plan: Plan) => runPlan(plan, { system, history, parent });
  const failures: Failure[] = [];
  const tally = new Map<string, number>();
  const startMs = performance.now();
  let runs = 0;
  try {
    for (; runs < options.runs && failures.length < maximumFailures && !options.signal?.aborted; runs++) {
      const plan = makePlan(seed + runs * stride);
      const result = await play(without(plan, dropped));
      options.onEvents?.(result.events);
      for (const [what, count] of result.tally) tally.set(what, (tally.get(what) ?? 0) + count);
      const { violation, events } = result;
      if (violation === undefined) continue;
      const given = { plan, dropped, violation, events };
      const failure = shrinks ? await shrink(given, play) : given;
      failures.push(failure);
      options.onFailure?.(failure);
    }
  } finally {
    await history.close();
    await rm(parent, { recursive: true, force: true });
  }
  return { runs, failures, tally, durationMs: performance.now() - startMs };
}
