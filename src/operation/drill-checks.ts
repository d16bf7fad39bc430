import { type Clock, timeoutSignal } from '../clock.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { DrillCheck } from '../history/run-record.ts';
import { type DrillContext, type GivenCheck, unexpectedIn } from '../policy/drill-check.ts';
import type { Scratch } from '../source/scratch.ts';

/** With what checks are run. */
export interface CheckRun {
  readonly archive: string;
  readonly scratches: ReadonlyMap<string, Scratch>;
  readonly filesFolder: string | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const maximumMessageLength = 500;

/** Runs the checks one after the other. Those of databases that the archive does not have are of another archive, and passed over. */
export async function runChecks(checks: readonly GivenCheck[], run: CheckRun): Promise<DrillCheck[]> {
  const done: DrillCheck[] = [];
  for (const [index, check] of checks.entries()) {
    throwIfAborted(run.signal);
    if (typeof check !== 'function' && check.database !== undefined && !run.scratches.has(check.database)) continue;
    if (typeof check !== 'function' && run.scratches.size === 0) continue;
    const startMs = run.clock.monotonicMs();
    const database = typeof check === 'function' ? {} : { database: databaseOf(check.database, run) ?? '' };
    const name = typeof check === 'function' ? check.name || `check ${index + 1}` : check.sql;
    const message = await failureOf(check, run);
    done.push({
      check: name,
      ...database,
      isPassed: message === undefined,
      ...(message === undefined ? {} : { message: message.slice(0, maximumMessageLength) }),
      durationMs: Math.round(run.clock.monotonicMs() - startMs),
    });
  }
  return done;
}

async function failureOf(check: GivenCheck, run: CheckRun): Promise<string | undefined> {
  try {
    if (typeof check !== 'function') return unexpectedIn(await query(check.sql, check.database, run), check.expect);
    return (await within(run, () => check(contextOf(run)))) === false ? 'it gave false' : undefined;
  } catch (error) {
    throwIfAborted(run.signal);
    return error instanceof Error ? error.message : String(error);
  }
}

function contextOf(run: CheckRun): DrillContext {
  const { archive, scratches, filesFolder, signal } = run;
  return {
    archive,
    databases: [...scratches.keys()],
    ...(filesFolder === undefined ? {} : { filesFolder }),
    signal,
    query: (sql, database) => query(sql, database, run),
  };
}

/** A function that does not come back does not hold up the drill. */
async function within<Result>({ timeoutMs, signal }: CheckRun, work: () => Result): Promise<Awaited<Result>> {
  const limit = AbortSignal.any([timeoutSignal(timeoutMs), signal]);
  const { promise, reject } = Promise.withResolvers<never>();
  const onLimit = () =>
    reject(new HoldfastError('tool.timeout', { message: `no answer within ${timeoutMs / 1000} s` }));
  limit.addEventListener('abort', onLimit, { once: true });
  try {
    return await Promise.race([(async () => await work())(), promise]);
  } finally {
    limit.removeEventListener('abort', onLimit);
  }
}

function databaseOf(name: string | undefined, { scratches }: CheckRun): string | undefined {
  if (name !== undefined) return name;
  return scratches.size === 1 ? [...scratches.keys()][0] : undefined;
}

async function query(sql: string, database: string | undefined, run: CheckRun) {
  const name = databaseOf(database, run);
  const scratch = name === undefined ? undefined : run.scratches.get(name);
  if (scratch === undefined) {
    const names = [...run.scratches.keys()].join(', ') || 'none';
    const message =
      name === undefined ? `it does not say which database: ${names}` : `there is no database ${name}: ${names}`;
    throw new HoldfastError('usage.invalid', { message });
  }
  return await scratch.query(sql, { timeoutMs: run.timeoutMs, signal: run.signal });
}
