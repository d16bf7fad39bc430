/** What is done with one archive of a simulated world. */
import { mkdir } from 'node:fs/promises';
import { HoldfastError } from '../../src/errors.ts';
import type { ArchiveLocation, RepairReport, RestoreReport, ValidationReport } from '../../src/operation/options.ts';
import { ageKeys } from '../end-to-end/age-keys.ts';
import { hasHeader } from './damage.ts';
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
import type { Action } from './plan.ts';
import { ledgerName, ledgerPath } from './simulated-ledger.ts';
import { hold, type KnownArchive } from './truth.ts';
import type { Session, World } from './world.ts';
import type { WorldStorage } from './world-storage.ts';

type Choosing = Extract<Action, { pick: number }>;

/** The archive that an action is about. */
export interface Subject {
  readonly storage: WorldStorage;
  readonly index: number;
  readonly name: string;
  readonly url: string;
  readonly archive: KnownArchive | undefined;
}

/** The archive that is chosen; undefined where the storage has none. */
export function subjectOf(world: World, { storage: index, pick }: Choosing): Subject | undefined {
  const storage = world.storages[index];
  const names = storage === undefined ? [] : archiveNames(storage);
  const name = names[pick % Math.max(1, names.length)];
  if (storage === undefined || name === undefined) return undefined;
  return { storage, index, name, url: storage.url(name), archive: world.truth.archiveAt(storage, name) };
}

function locationOf(session: Session, { index, name }: Subject) {
  const storage = session.storages[index]?.storage;
  if (storage === undefined) throw new Error('there is no such storage');
  return { storage, name };
}

/** Those of other storages that have the same name, and truly the same archive. */
function namesakes(world: World, session: Session, subject: Subject, isWanted: boolean) {
  const isReplica = (id: string, name: string) => name === subject.name && id === subject.archive?.id;
  const replicas = isWanted ? otherReplicas(world, session, subject.storage, isReplica) : [];
  const from = session.storages.flatMap(({ storage }, index): ArchiveLocation[] => {
    const other = world.storages[index];
    const isThere = isWanted && other !== undefined && other !== subject.storage;
    const isSame = world.truth.idOf(other?.url(subject.name) ?? '') === subject.archive?.id;
    return isThere && isSame && other.objects.has(subject.name) ? [{ storage, name: subject.name }] : [];
  });
  return { replicas, from };
}

function ownBytes(world: World, session: Session, { storage, name }: Subject): Uint8Array[] {
  const bytes = bytesBefore(world, session, storage, name);
  return bytes === undefined ? [] : [bytes];
}

export function verifyDeed(
  world: World,
  session: Session,
  action: Extract<Action, { action: 'verify' }>,
): Deed | undefined {
  const subject = subjectOf(world, action);
  if (subject === undefined) return undefined;
  const { system, truth } = world;
  const { url, archive } = subject;
  const note = new Recorded();
  const { level } = action;
  const found = { storage: subject.storage.label, name: subject.name, url, state: 'found' as const };
  const work = async () =>
    await recorded(
      world,
      session,
      { begun: { kind: 'verify', archives: [found] }, note },
      () =>
        system.validateBackup({
          ...world.run(session),
          ...world.openKeys,
          archive: locationOf(session, subject),
          level,
        }),
      (report) => system.verifyOutcome(found, report),
    );
  const judge = (end: End<ValidationReport>): string => {
    if (end === 'died') return 'died';
    const own = ownBytes(world, session, subject);
    if ('error' in end) {
      const isDamage = end.error instanceof HoldfastError && end.error.code === 'archive.damaged';
      if (isDamage && note.state !== undefined) truth.learn(url, { isDamaged: true, isProven: false });
      mayBeLost(session, archive, own, `${url}: ${String(end.error)}`);
      return 'failed';
    }
    const { state } = end.result;
    if (note.state !== undefined) {
      if (state === 'lost') truth.learn(url, { isDamaged: true, isProven: false });
      else truth.learn(url, { isDamaged: false, ...(level === 'contents' ? { isProven: true } : {}) });
    }
    const wasWhole = own.every((bytes) => truth.archiveOf(bytes) !== undefined) && !session.lacking.has(url);
    const isWhole = wasWhole || session.isShared;
    hold(
      'no run is green that should not be',
      state !== 'intact' || isWhole,
      () => `${url} is told to be intact, and is not`,
    );
    if (state === 'lost') mayBeLost(session, archive, own, url);
    return state;
  };
  return asDeed({ expected: {}, work, judge });
}

export function repairDeed(
  world: World,
  session: Session,
  action: Extract<Action, { action: 'repair' }>,
): Deed | undefined {
  const subject = subjectOf(world, action);
  if (subject === undefined) return undefined;
  const { system } = world;
  const { storage, name, url, archive } = subject;
  const { replicas, from } = namesakes(world, session, subject, action.fromOthers);
  const work = async () =>
    await system.repairArchive({ ...world.run(session), archive: locationOf(session, subject), from });
  const judge = (end: End<RepairReport>): string => {
    if (end === 'died') return 'died';
    const own = ownBytes(world, session, subject);
    if ('error' in end) {
      const isKnown = archive !== undefined && own.every((bytes) => hasHeader(archive, bytes));
      if (isKnown) mayBeLost(session, archive, [...own, ...replicas], `${url}: ${String(end.error)}`);
      return 'failed';
    }
    const isWhole = world.isComplete(storage, name) || session.isShared;
    hold(
      'no run is green that should not be',
      isWhole,
      () => `${url} is told to be ${end.result.state}, and is not whole`,
    );
    return end.result.state;
  };
  return asDeed({ expected: {}, work, judge });
}

export function restoreDeed(
  world: World,
  session: Session,
  action: Extract<Action, { action: 'restore' }>,
): Deed | undefined {
  const subject = subjectOf(world, action);
  if (subject?.archive === undefined) return undefined;
  const { url, archive } = subject;
  const [, database = ''] = [...archive.snapshot.keys()].find((path) => path.startsWith('files/'))?.split('/') ?? [];
  if (database === '') return undefined;
  const { replicas, from } = namesakes(world, session, subject, action.fromOthers);
  const { overwrite, partial } = action;
  const filesTo = `${world.folder}/out`;
  const hasLedger = archive.snapshot.has(ledgerPath(database));
  const ledgerTo = hasLedger ? [`${ledgerName(database)}=sqlite:${world.ledgerOut(database)}`] : [];
  const only = hasLedger ? ['files/**', ledgerPath(database)] : ['files/**'];
  let before: ReadonlyMap<string, string> = new Map();
  const work = async (): Promise<RestoreReport> => {
    before = await world.restoredFiles(database);
    await mkdir(filesTo, { recursive: true });
    const wanted = { only, filesTo, to: ledgerTo, overwrite, partial };
    const options = { archive: locationOf(session, subject), from, ...wanted };
    return await world.system.restoreBackup({ ...world.run(session), ...world.openKeys, ...options });
  };
  const judge = async (end: End<RestoreReport>): Promise<string> => {
    const after = await world.restoredFiles(database);
    const promise = 'a restore is old or new';
    const tell = () =>
      `after a restore of ${url} (${end === 'died' || 'error' in end ? 'failed' : 'succeeded'}) the files are neither`;
    if (end === 'died' || 'error' in end) {
      hold(promise, isEqual(after, before), tell);
      if (end === 'died') return 'died';
      const isRefused = end.error instanceof HoldfastError && end.error.code === 'target.exists';
      if (!isRefused)
        mayBeLost(
          session,
          archive,
          [...ownBytes(world, session, subject), ...replicas],
          `${url}: ${String(end.error)}`,
        );
      return isRefused ? 'refused' : 'failed';
    }
    hold('no wrong data', end.result.archiveId === archive.id, () => `${url} gave another archive`);
    const lost = new Set(end.result.lostEntries);
    hold(
      'no run is green that should not be',
      lost.size === 0 || partial,
      () => `${url} was restored in part, unasked`,
    );
    const wanted = [...archive.snapshot].filter(
      ([path, { kind }]) => !lost.has(path) && ['file', 'sqlite'].includes(kind),
    );
    const restored = wanted.map(([path, { kind, bytes }]) => {
      const place = kind === 'sqlite' ? path : path.slice(`files/${database}/`.length);
      return [place, Buffer.from(bytes).toString('latin1')] as const;
    });
    if (hasLedger) world.count('restore: with a SQLite database');
    hold(promise, isEqual(after, new Map([...before, ...restored])), tell);
    return lost.size > 0 ? 'partial' : 'succeeded';
  };
  return asDeed({ expected: {}, work, judge });
}

function isEqual(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([path, text]) => other.get(path) === text);
}

export function keyDeed(world: World, session: Session, action: Extract<Action, { action: 'key' }>): Deed | undefined {
  const subject = subjectOf(world, action);
  const { keys } = world.openKeys;
  if (subject === undefined || keys === undefined) return undefined;
  const { system } = world;
  const archive = locationOf(session, subject);
  const work = async () => {
    const run = { ...world.run(session), archive, keys };
    const slots = await system.addKeySlots({ ...run, add: { recipients: [ageKeys[1].recipient] }, label: 'another' });
    const last = slots.at(-1);
    if (action.change === 'remove' && last !== undefined) await system.removeKeySlot({ ...run, slotId: last.id });
  };
  const judge = (end: End<void>): string => {
    if (end === 'died') return 'died';
    if ('error' in end) {
      const isFull = end.error instanceof HoldfastError && end.error.code === 'key.slots_full';
      if (!isFull)
        mayBeLost(session, subject.archive, ownBytes(world, session, subject), `${subject.url}: ${String(end.error)}`);
      return 'failed';
    }
    const isWhole = world.isComplete(subject.storage, subject.name) || session.isShared;
    hold(
      'no run is green that should not be',
      isWhole,
      () => `the keys of ${subject.url} were changed, and it is not whole`,
    );
    return 'succeeded';
  };
  return asDeed({ expected: { changesKeys: true }, work, judge });
}

export function markDeed(
  world: World,
  session: Session,
  action: Extract<Action, { action: 'pin' | 'unpin' | 'delete' }>,
): Deed | undefined {
  const subject = subjectOf(world, action);
  if (subject === undefined) return undefined;
  const location = locationOf(session, subject);
  const { system } = world;
  const works = {
    pin: () => system.pinArchive(location),
    unpin: () => system.unpinArchive(location),
    delete: () => location.storage.delete(location.name),
  };
  const judge = (end: End<void>): string => {
    mustSucceed(session, end, action.action);
    if (end === 'died') return 'died';
    if ('error' in end) return 'failed';
    const { objects } = subject.storage;
    const isDone = {
      pin: objects.has(`${subject.name}.pin`),
      unpin: !objects.has(`${subject.name}.pin`),
      delete: !objects.has(subject.name),
    };
    hold(
      'what is told is done',
      isDone[action.action] || session.isShared,
      () => `${action.action} of ${subject.url} did nothing`,
    );
    return 'succeeded';
  };
  return asDeed({ expected: {}, work: works[action.action], judge });
}
