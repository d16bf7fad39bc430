/** What is done with whole storages of a simulated world: retention, scrubs, copying. */
import type { PruneReport } from '../../src/operation/prune.ts';
import type { ScrubbedArchive, ScrubReport } from '../../src/operation/scrub.ts';
import type { SyncReport } from '../../src/operation/sync.ts';
import type { RetentionPolicy } from '../../src/policy/retention.ts';
import { retentionOracle } from '../../src/testing/retention-oracle.ts';
import { hasHeader, mustHeal } from './damage.ts';
import {
  archiveNames,
  asDeed,
  bytesBefore,
  type Deed,
  type End,
  mayBeLost,
  mustSucceed,
  otherReplicas,
  Recorded,
  recorded,
} from './deed.ts';
import type { Action, WorldSettings } from './plan.ts';
import { environment, filenameTemplate, hold, isArchiveName } from './truth.ts';
import type { RetentionView, Session, World } from './world.ts';
import type { WorldStorage } from './world-storage.ts';

const timezone = 'UTC';

function policyOf({ keepLast, keepDaily, maxTotalSizeBytes }: WorldSettings): RetentionPolicy {
  const none = { keepHourly: 0, keepWeekly: 0, keepMonthly: 0, keepYearly: 0, keepWithinMs: 0 };
  return { ...none, keepLast, keepDaily, ...(maxTotalSizeBytes === undefined ? {} : { maxTotalSizeBytes }) };
}

export function pruneDeed(world: World, session: Session): Deed {
  const { system, history, plan, truth } = world;
  const note = new Recorded();
  const policy = policyOf(plan.world);
  const work = async (): Promise<PruneReport> => {
    if (session.process.lacksHistory) throw new Error('the history is away');
    const facts = system.retentionFacts(await history.runs(), { nowMs: world.clock.nowMs() });
    const { storages } = session;
    const { clock } = world;
    const { signal } = session.process;
    const options = { storages, policy, timezone, environment, filenameTemplate, facts, clock, signal };
    return await recorded(
      world,
      session,
      { begun: { kind: 'prune' }, note },
      () => system.pruneStorages(options),
      (report) => system.pruneOutcome(storages, report),
    );
  };
  const judge = (end: End<PruneReport>): string => {
    judgeRemovals(world, session, policy);
    if (note.state !== undefined && end !== 'died' && 'result' in end) {
      const removed = end.result.archives.filter((archive) => archive.removed);
      for (const { storage, name } of removed) truth.forget(storageOf(world, storage).url(name));
    }
    mustSucceed(session, end, 'a prune');
    return end === 'died' ? 'died' : 'error' in end ? 'failed' : (note.state ?? 'not recorded');
  };
  return asDeed({ expected: {}, work, judge });
}

/** What was removed must have been removable, as things stood before or after. */
function judgeRemovals(world: World, session: Session, policy: RetentionPolicy): void {
  const removed = session.changes.filter(({ bytes }) => bytes === undefined);
  if (removed.length === 0) return;
  const after = world.retentionView();
  const before = session.retention;
  const published = after.archives.filter((now) => !before.archives.some((then) => isOne(then, now)));
  const views: RetentionView[] = [before, { ...before, nowMs: after.nowMs }];
  if (session.isShared) {
    // Another process may have made one, or learned something, before the decision.
    const archives = [...before.archives, ...published];
    views.push({ ...before, archives }, { ...after, archives });
  }
  const kept = views.map((view) => retentionOracle(view.archives, policy, { ...view, timezone }));
  for (const { storage, name } of removed) {
    const isKept = kept.every((archives) =>
      [...archives].some((archive) => archive.storage === storage.label && archive.name === name),
    );
    const tell = () => `${storage.url(name)} was removed; hold: ${before.hold('shop', storage.label)}`;
    hold('retention removes nothing that it must keep', !isKept && isArchiveName(name), tell);
  }
}

function isOne(one: { storage: string; name: string }, other: { storage: string; name: string }): boolean {
  return one.storage === other.storage && one.name === other.name;
}

export function scrubDeed(
  world: World,
  session: Session,
  { restoreMissing }: Extract<Action, { action: 'scrub' }>,
): Deed {
  const { system } = world;
  const note = new Recorded();
  const { storages } = session;
  const work = async () =>
    await recorded(
      world,
      session,
      { begun: { kind: 'scrub' }, note },
      () => system.scrubStorages({ ...world.run(session), storages, restoreMissing }),
      (report) => system.scrubOutcome(storages, report),
    );
  const judge = (end: End<ScrubReport>): string => {
    mustSucceed(session, end, 'a scrub');
    if (end === 'died') return 'died';
    if ('error' in end) return 'failed';
    for (const scrubbed of end.result.archives) judgeScrubbed(world, session, scrubbed, note.state !== undefined);
    if (note.state === 'succeeded' && !session.isShared && !session.hit.has('list-hides')) {
      judgeGreen(world, restoreMissing);
    }
    return note.state ?? 'not recorded';
  };
  return asDeed({ expected: {}, work, judge });
}

const isWell: readonly ScrubbedArchive['state'][] = ['intact', 'repaired', 'restored'];

function judgeScrubbed(world: World, session: Session, scrubbed: ScrubbedArchive, isRecorded: boolean): void {
  const { truth } = world;
  const storage = storageOf(world, scrubbed.storage);
  const { name, state } = scrubbed;
  const url = storage.url(name);
  if (isRecorded && isWell.includes(state)) truth.learn(url, { isDamaged: false });
  if (isRecorded && state === 'lost') truth.learn(url, { isDamaged: true, isProven: false });
  if (isWell.includes(state)) {
    const isWhole = world.isComplete(storage, name) || session.isShared;
    hold('no run is green that should not be', isWhole, () => `${url} is told to be ${state}, and is not`);
    return;
  }
  const id = truth.idOf(url);
  const original = truth.archive(id);
  const own = bytesBefore(world, session, storage, name);
  if (original === undefined || own === undefined) return;
  // Without a header of its own it is known by its name alone.
  const isShapeless = !hasHeader(original, own);
  const others = otherReplicas(world, session, storage, (otherId, otherName) => {
    return otherId === id && (!isShapeless || otherName === name);
  }).filter((bytes) => hasHeader(original, bytes));
  mayBeLost(session, original, isShapeless ? others : [own, ...others], `${url}, told to be ${state},`);
}

/** After a scrub that succeeded all is whole, and each archive is everywhere. */
function judgeGreen(world: World, restoreMissing: boolean): void {
  const { truth, storages } = world;
  const promise = 'no run is green that should not be';
  const all = new Map<string, string>();
  for (const storage of storages) {
    for (const name of archiveNames(storage)) {
      hold(promise, world.isComplete(storage, name), () => `a scrub is green, and ${storage.url(name)} is damaged`);
      all.set(truth.idOf(storage.url(name)) ?? '', name);
    }
  }
  if (!restoreMissing) return;
  for (const storage of storages) {
    const here = new Set(archiveNames(storage).map((name) => truth.idOf(storage.url(name))));
    for (const [id, name] of all) {
      // Another archive may have its name here.
      const isThere = here.has(id) || storage.objects.has(name);
      hold(promise, isThere, () => `a scrub is green, and ${name} is not on ${storage.label}`);
    }
  }
}

function storageOf(world: World, label: string): WorldStorage {
  const storage = world.storages.find((one) => one.label === label);
  if (storage === undefined) throw new Error(`there is no storage ${label}`);
  return storage;
}

export function syncDeed(
  world: World,
  session: Session,
  action: Extract<Action, { action: 'sync' }>,
): Deed | undefined {
  const { system, truth, storages } = world;
  const [source, target] = [storages[action.from], storages[action.to]];
  const [from, to] = [session.storages[action.from], session.storages[action.to]];
  if (!source || !target || !from || !to || source === target) return undefined;
  const work = async () => await system.syncStorages({ ...world.run(session), from: from.storage, to: to.storage });
  const judge = (end: End<SyncReport>): string => {
    mustSucceed(session, end, 'a sync');
    if (end === 'died') return 'died';
    if ('error' in end) return 'failed';
    for (const { name, error } of end.result.archives) {
      if (error === undefined) {
        const isWhole = world.isComplete(target, name) || session.isShared;
        hold('no run is green that should not be', isWhole, () => `${target.url(name)} was copied, and is not whole`);
        continue;
      }
      const bytes = bytesBefore(world, session, source, name);
      const original = truth.archive(truth.idOf(source.url(name)));
      if (bytes !== undefined)
        mayBeLost(session, original, [bytes], `${source.url(name)}, not copied: ${error.message},`);
    }
    return end.result.failedCount > 0 ? 'incomplete' : 'succeeded';
  };
  return asDeed({ expected: {}, work, judge });
}

/** Whether a replica alone must come back. */
export function heals(world: World, storage: WorldStorage, name: string): boolean {
  const original = world.truth.archiveAt(storage, name);
  const bytes = storage.objects.get(name)?.bytes;
  return original !== undefined && bytes !== undefined && mustHeal(original, [bytes]);
}
