/** The oracle for what appears on a storage: a whole archive that holds what its source held, or nothing. */
import { openArchive } from '../../src/operation/open.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import { memoryRandomAccess } from '../../src/storage/memory/memory-storage.ts';
import { contentCanary } from './canaries.ts';
import { ledgerState } from './simulated-ledger.ts';
import type { Snapshot } from './simulated-source.ts';
import { hold, isArchiveName } from './truth.ts';
import type { Session, World } from './world.ts';
import type { Change } from './world-storage.ts';

/** What an action may make visible that was not there before. */
export interface Expected {
  /** What a new archive holds. */
  readonly snapshot?: Snapshot;
  /** Whether an archive that is known may get another header. */
  readonly changesKeys?: boolean;
}

interface Contents {
  readonly id: string;
  readonly entries: ReadonlyMap<string, Uint8Array>;
  readonly isSuspect: boolean;
}

async function readAll(bytes: Uint8Array, world: World): Promise<Contents> {
  await using archive = await openArchive({ archive: memoryRandomAccess(bytes), threads: 0, ...world.openKeys });
  const entries = new Map<string, Uint8Array>();
  let isSuspect = false;
  for await (const entry of archive.entries()) {
    if (entry.kind === 'note') isSuspect ||= entry.path === 'holdfast/suspect';
    if (entry.kind === 'note' || entry.kind === 'directory') continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive.read(entry)) chunks.push(chunk.slice());
    const content = Buffer.concat(chunks);
    entries.set(entry.path, entry.kind === 'sqlite' ? Buffer.from(ledgerState(content)) : content);
  }
  return { id: archive.summary.archiveId, entries, isSuspect };
}

function isSame(entries: ReadonlyMap<string, Uint8Array>, snapshot: Snapshot): boolean {
  if (entries.size !== snapshot.size) return false;
  return [...snapshot].every(([path, { bytes }]) => Buffer.compare(entries.get(path) ?? Buffer.alloc(0), bytes) === 0);
}

/** Looks at all that a session made visible. */
export async function checkPublished(world: World, session: Session, expected: Expected): Promise<void> {
  await world.spread?.prove();
  const [flaw] = world.spread?.flaws ?? [];
  hold('what is listed is whole', flaw === undefined, () => `${flaw}`);
  for (const change of session.changes) {
    if (change.bytes !== undefined && isArchiveName(change.name)) {
      await checkOne(world, change, change.bytes, expected);
    }
  }
}

async function checkOne(world: World, change: Change, bytes: Uint8Array, expected: Expected): Promise<void> {
  const { truth } = world;
  const { storage, name } = change;
  const known = truth.archiveOf(bytes);
  const before = truth.archive(truth.idOf(storage.url(name)));
  if (known !== undefined) {
    truth.place(storage, name, known.id);
    return;
  }
  const broken = (why: unknown) => `${storage.url(name)} appeared, and is no whole archive: ${String(why)}`;
  let contents: Contents | undefined;
  let failure: unknown;
  try {
    const archive = memoryRandomAccess(bytes);
    const { state } = await validateBackup({ archive, threads: 0, level: 'structure' });
    if (state === 'intact') contents = await readAll(bytes, world);
    else failure = `it is ${state}`;
  } catch (error) {
    failure = error;
  }
  hold('what is listed is whole', contents !== undefined, () => broken(failure));
  const snapshot = expected.snapshot ?? (expected.changesKeys ? truth.archive(contents.id)?.snapshot : undefined);
  hold('what is listed is whole', snapshot !== undefined, () => broken('nothing was to be made'));
  hold('what is listed is what was backed up', isSame(contents.entries, snapshot), () => {
    return `${storage.url(name)} has ${[...(contents?.entries.keys() ?? [])].join(', ')}, which is not what its source held`;
  });
  hold('what is listed is what was backed up', expected.snapshot !== undefined || before?.id === contents.id, () => {
    return `${storage.url(name)} is another archive than before`;
  });
  const isEncrypted = world.plan.world.key !== 'none';
  hold(
    'no secret is told',
    !(isEncrypted && Buffer.from(bytes).includes(contentCanary)),
    () => `${name} has it in clear`,
  );
  const { id, isSuspect } = contents;
  truth.add({ id, snapshot, isSuspect }, bytes);
  truth.place(storage, name, id);
}
