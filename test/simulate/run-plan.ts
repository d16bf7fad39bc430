/** Plays a plan, and holds the promises after every step. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { History } from '../../src/history/history.ts';
import type { ArchiveLocation } from '../../src/operation/options.ts';
import { memoryRandomAccess } from '../../src/storage/memory/memory-storage.ts';
import { keyDeed, markDeed, repairDeed, restoreDeed, subjectOf, verifyDeed } from './archive-deeds.ts';
import { backupDeed } from './backup-deed.ts';
import { damaged, mustHeal, type Original } from './damage.ts';
import { archiveNames, type Deed, type End } from './deed.ts';
import type { System } from './mistakes.ts';
import type { Action, Fault, Plan, Step } from './plan.ts';
import { checkPublished } from './published.ts';
import { Turns } from './simulated-process.ts';
import type { SpreadPlace } from './spread-place.ts';
import { pruneDeed, scrubDeed, syncDeed } from './storage-deeds.ts';
import { hold, Violation } from './truth.ts';
import { type Session, World } from './world.ts';
import type { WorldStorage } from './world-storage.ts';

/** What came of a plan. */
export interface PlanResult {
  /** The promise that was broken, and how. */
  readonly violation?: { readonly promise: string; readonly message: string; readonly step: number };
  readonly tally: ReadonlyMap<string, number>;
  /** What happened, a line for each step. */
  readonly events: readonly string[];
}

/** Plays a plan in a world of its own, which is gone afterwards. */
export async function runPlan(
  plan: Plan,
  options: { readonly system: System; readonly history: History; readonly parent: string },
): Promise<PlanResult> {
  const folder = await mkdtemp(join(options.parent, 'world-'));
  const world = new World(plan, { ...options, folder });
  let step = 0;
  try {
    await world.open();
    for (; step < plan.steps.length; step++) await playStep(world, plan.steps[step] as Step);
    // A scrub reads all there is: every fourth world ends with one, and every second of those that are spread.
    if (plan.seed % 4 === 0 || (plan.world.spread !== undefined && plan.seed % 16 === 6)) await recover(world);
    return { tally: world.tally, events: world.events };
  } catch (error) {
    const known = error instanceof Violation;
    const promise = known ? error.promise : 'nothing unforeseen is thrown';
    const message = known ? error.message : String(error instanceof Error ? error.stack : error);
    return { violation: { promise, message, step }, tally: world.tally, events: world.events };
  } finally {
    await world.close();
  }
}

async function playStep(world: World, { does, faults, beside }: Step): Promise<void> {
  world.clock.advance(3_600_000);
  if (isWorldly(does)) {
    await change(world, does);
    return;
  }
  const parts = [{ does, faults }, ...(beside === undefined ? [] : [beside])];
  const started = parts.map((part) => start(world, part, parts.length > 1));
  const running = started.filter((one) => one !== undefined);
  if (beside !== undefined && running.length > 1)
    new Turns(
      beside.turns,
      running.map(({ session }) => session.process),
    );
  const ends = await Promise.all(running.map(({ session, deed }) => run(session, deed)));
  // What one made the other may have copied.
  const makers = running.toSorted((one, other) => rankOf(one) - rankOf(other));
  for (const { session, deed } of makers) await checkPublished(world, session, deed.expected);
  for (const [index, started] of running.entries()) await finish(world, { ...started, end: ends[index] ?? 'died' });
}

function rankOf({ deed: { expected } }: Started): number {
  return expected.snapshot !== undefined ? 0 : expected.changesKeys === true ? 1 : 2;
}

interface Started {
  readonly session: Session;
  readonly deed: Deed;
  readonly what: string;
}

function start(
  world: World,
  { does, faults }: { does: Action; faults: readonly Fault[] },
  isShared: boolean,
): Started | undefined {
  const session = world.startSession(faults, isShared);
  const deed = deedOf(world, session, does);
  if (deed === undefined) world.count(`${does.action}: nothing to do`);
  return deed && { session, deed, what: does.action };
}

async function run(session: Session, deed: Deed): Promise<End<unknown>> {
  try {
    return await session.process.run(() => deed.work());
  } catch (error) {
    return { error };
  }
}

async function finish(
  world: World,
  { deed, session, what, end }: Started & { readonly end: End<unknown> },
): Promise<void> {
  if (end === 'died') await world.buryRuns();
  else world.see(`what ${what} told`, 'error' in end ? end.error : end.result);
  const word = end === 'died' ? 'died' : 'error' in end ? `failed: ${String(end.error)}` : 'ended';
  const told = session.hit.size > 0 ? ` (${[...session.hit].join(', ')})` : '';
  world.events.push(`${what} ${word}${told}`);
  const outcome = await deed.judge(end);
  world.count(`${what}: ${outcome}`);
}

function deedOf(world: World, session: Session, action: Action): Deed | undefined {
  switch (action.action) {
    case 'backup':
      return backupDeed(world, session, action);
    case 'prune':
      return pruneDeed(world, session);
    case 'scrub':
      return scrubDeed(world, session, action);
    case 'sync':
      return syncDeed(world, session, action);
    case 'repair':
      return repairDeed(world, session, action);
    case 'verify':
      return verifyDeed(world, session, action);
    case 'restore':
      return restoreDeed(world, session, action);
    case 'key':
      return keyDeed(world, session, action);
    case 'pin':
    case 'unpin':
    case 'delete':
      return markDeed(world, session, action);
    default:
      return undefined;
  }
}

type WorldlyAction = Extract<Action, { action: 'damage' | 'lose' | 'lose-all' | 'set-clock' | 'wait' }>;

function isWorldly(action: Action): action is WorldlyAction {
  return ['damage', 'lose', 'lose-all', 'set-clock', 'wait'].includes(action.action);
}

/** What the world does by itself. */
async function change(world: World, action: WorldlyAction): Promise<void> {
  world.count(`world: ${action.action === 'damage' ? `damage ${action.damage}` : action.action}`);
  world.events.push(action.action);
  switch (action.action) {
    case 'set-clock':
      world.clock.setNowMs(world.clock.nowMs() + action.byMs);
      return;
    case 'wait':
      world.clock.advance(action.durationMs);
      return;
    case 'lose-all': {
      const machine = world.machines[action.machine];
      const names = [...(machine?.objects.keys() ?? [])];
      machine?.objects.clear();
      for (const name of world.spread?.members.includes(machine as WorldStorage) ? names : [])
        world.spread?.refresh(name);
      return;
    }
    case 'lose': {
      const subject = subjectOf(world, action);
      if (world.storages[action.storage] !== world.spread) subject?.storage.objects.delete(subject.name);
      else {
        const shard = chosenShards(world, action.pick, 1)[0];
        shard?.member.objects.delete(shard.name);
        world.spread?.refresh(shard?.name ?? '');
      }
      return;
    }
    case 'damage': {
      if (world.spread !== undefined && world.storages[action.storage] === world.spread) {
        await damageShards(world, world.spread, action);
        return;
      }
      const subject = subjectOf(world, action);
      const object = subject?.storage.objects.get(subject.name);
      if (subject === undefined || object === undefined) return;
      const bytes = damaged(object.bytes, action);
      subject.storage.objects.set(subject.name, { ...object, bytes });
      if (subject.archive === undefined) return;
      await checkDamaged(
        world,
        { original: subject.archive, bytes, isWhole: world.truth.isWhole(subject.storage, subject.name) },
        memoryRandomAccess(bytes),
      );
    }
  }
}

/** Some shards in a row, counted round. */
function chosenShards(world: World, pick: number, count: number) {
  const shards = world.spread?.shards() ?? [];
  return Array.from(
    { length: Math.min(count, shards.length) },
    (_, step) => shards[(pick + step) % shards.length],
  ).filter((shard) => shard !== undefined);
}

/** Damages shards of any archives, one to three of them, in the same way. */
async function damageShards(
  world: World,
  spread: SpreadPlace,
  action: Extract<WorldlyAction, { action: 'damage' }>,
): Promise<void> {
  const harmed = new Set<string>();
  for (const { member, name, archiveName } of chosenShards(world, action.pick, 1 + (action.salt % 3))) {
    const object = member.objects.get(name);
    if (object === undefined) continue;
    member.objects.set(name, { ...object, bytes: damaged(object.bytes, action) });
    spread.refresh(name);
    harmed.add(archiveName);
  }
  for (const name of harmed) {
    const original = world.truth.archiveAt(spread, name);
    const bytes = spread.objects.get(name)?.bytes;
    const storage = world.startSession([], false).storages[0]?.storage;
    if (original === undefined || bytes === undefined || storage === undefined) continue;
    await checkDamaged(world, { original, bytes, isWhole: spread.isComplete(name) }, { storage, name });
  }
}

/** What was damaged is told so, and within the guarantee told to be repairable. */
async function checkDamaged(
  world: World,
  found: { readonly original: Original; readonly bytes: Uint8Array; readonly isWhole: boolean },
  archive: ArchiveLocation,
): Promise<void> {
  const { original, bytes, isWhole } = found;
  const isCovered = mustHeal(original, [bytes]);
  world.count(
    isWhole ? 'damaged: not at all' : isCovered ? 'damaged: within the guarantee' : 'damaged: beyond the guarantee',
  );
  let state: string;
  try {
    state = (await world.system.validateBackup({ archive, threads: 0, level: 'structure' })).state;
  } catch (error) {
    world.see('a check', error);
    state = String(error);
  }
  hold(
    'no run is green that should not be',
    state !== 'intact' || isWhole,
    () => 'a damaged archive is told to be intact',
  );
  hold(
    'what the guarantee covers heals',
    !isCovered || state === 'repairable' || isWhole,
    () => `a damaged archive is ${state}`,
  );
}

/** In a world where nothing goes wrong any more, a scrub mends what it must, and all that is left can be restored. */
async function recover(world: World): Promise<void> {
  const steps: Step[] = [{ does: { action: 'scrub', restoreMissing: true }, faults: [] }];
  await playStep(world, steps[0] as Step);
  for (const [index, storage] of world.storages.entries()) {
    const names = archiveNames(storage);
    if (names.length === 0) continue;
    const choice = { storage: index, pick: names.length - 1 };
    await playStep(world, {
      does: { action: 'restore', overwrite: true, fromOthers: true, partial: false, ...choice },
      faults: [],
    });
  }
}
