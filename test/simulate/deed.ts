/** What an action is made of: work that a process does, and what must hold of its end. */

import { HoldfastError } from '../../src/errors.ts';
import type { RunState } from '../../src/history/run-record.ts';
import { type RecordRunOptions, type RunOutcome, recordRun } from '../../src/operation/record-run.ts';
import type { Original } from './damage.ts';
import { mustHeal } from './damage.ts';
import type { Expected } from './published.ts';
import { hold, isArchiveName } from './truth.ts';
import type { Session, World } from './world.ts';
import type { WorldStorage } from './world-storage.ts';

/** How the work of a process ended. */
export type End<Result> = { readonly result: Result } | { readonly error: unknown } | 'died';

/** An action under way. */
export interface Deed<Result = unknown> {
  /** What it may make visible. */
  readonly expected: Expected;
  work(): Promise<Result>;
  /** Throws where a promise is broken; gives a word for what came of it. */
  judge(end: End<Result>): Promise<string> | string;
}

/** Hides what a deed's work gives from whoever only runs it. */
export function asDeed<Result>(deed: Deed<Result>): Deed {
  return deed as Deed;
}

/** What the history has of a run, told by the run itself. */
export class Recorded {
  isBegun = false;
  /** As it is recorded. */
  startedMs = 0;
  state: RunState | undefined;

  /** Whether the history knows how it came out; one that died is known by what it left. */
  get isKnown(): boolean {
    return this.isBegun || this.state !== undefined;
  }
}

/** Records a run, in a history that may be away, by a process that may die. */
export async function recorded<Result>(
  world: World,
  session: Session,
  run: { readonly begun: Omit<RecordRunOptions, 'history' | 'clock'>; readonly note: Recorded },
  work: () => Promise<Result>,
  outcomeOf: (result: Result) => RunOutcome,
): Promise<Result> {
  const { note } = run;
  const reach = async () => {
    await session.process.step();
    if (session.process.lacksHistory) throw new HoldfastError('history.unavailable', { message: 'injected fault' });
  };
  const history: NonNullable<RecordRunOptions['history']> = {
    begin: async (begun) => {
      await reach();
      note.startedMs = begun.startedMs;
      const id = await world.history.begin(begun);
      note.isBegun = true;
      return id;
    },
    end: async (id, ended) => {
      await reach();
      world.see('the history', ended);
      await world.history.end(id, ended);
      note.state = ended.state;
    },
  };
  const onProblem = (error: unknown) => world.see('a problem', error);
  return await recordRun({ ...run.begun, history, clock: world.clock, onProblem }, work, outcomeOf);
}

/** Whether nothing went wrong meanwhile: then the operation has no excuse. */
export function isClean(session: Session): boolean {
  return session.hit.size === 0 && !session.isShared;
}

/** Names of the archives on a storage, in order. */
export function archiveNames(storage: WorldStorage): string[] {
  return [...storage.objects.keys()].filter(isArchiveName).sort();
}

/** What lay at a place when the session began; undefined where nothing did. */
export function bytesBefore(
  world: World,
  session: Session,
  storage: WorldStorage,
  name: string,
): Uint8Array | undefined {
  return session.before[world.storages.indexOf(storage)]?.get(name);
}

/** The replicas of an archive on other storages, as they were when the session began. */
export function otherReplicas(
  world: World,
  session: Session,
  from: WorldStorage,
  isReplica: (id: string, name: string) => boolean,
) {
  return world.storages.flatMap((storage, index) => {
    if (storage === from) return [];
    const before = [...(session.before[index] ?? [])].filter(([name]) => isArchiveName(name));
    return before.flatMap(([name, bytes]) => {
      const id = world.truth.idOf(storage.url(name));
      return id !== undefined && isReplica(id, name) ? [bytes] : [];
    });
  });
}

/** Throws where an operation gave up what the guarantee says must come back. */
export function mayBeLost(
  session: Session,
  original: Original | undefined,
  replicas: readonly Uint8Array[],
  what: string,
): void {
  if (!isClean(session) || original === undefined) return;
  hold('what the guarantee covers heals', !mustHeal(original, replicas), () => `${what} was given up`);
}

/** Throws where something failed although nothing went wrong. */
export function mustSucceed(session: Session, end: End<unknown>, what: string): void {
  if (!isClean(session) || end === 'died' || 'result' in end) return;
  const reason = end.error instanceof Error ? (end.error.stack ?? end.error.message) : String(end.error);
  hold('what nothing hinders succeeds', false, () => `${what}: ${reason}`);
}
