/** Backups in a simulated world. */
import { freeName } from '../../src/cli/backup-names.ts';
import { archiveName } from '../../src/config/archive-name.ts';
import type { BackupReport } from '../../src/operation/options.ts';
import { CommandSource } from '../../src/source/command/command-source.ts';
import type { Source } from '../../src/source/source.ts';
import { asDeed, type Deed, type End, isClean, mustSucceed, Recorded, recorded } from './deed.ts';
import type { Action, SourceFault } from './plan.ts';
import { LedgerSource, ledgerFaultOf, ledgerName, ledgerPath } from './simulated-ledger.ts';
import { SimulatedSource, SimulatedTree, type Snapshot, snapshotOf, sourceFaultOf } from './simulated-source.ts';
import { environment, filenameTemplate, hold, isArchiveName, readName } from './truth.ts';
import type { Session, World } from './world.ts';

type BackupAction = Extract<Action, { action: 'backup' }>;

const programBytes = 2000;
/** What a dump must end with. */
const endMark = 'the end of the dump';

interface Application {
  readonly database: string;
  readonly snapshot: Snapshot;
  sources(): Source[];
}

/** A database of its own, written by a real program. */
function program(fault: SourceFault | undefined): Application {
  const end = fault?.kind === 'source-no-end-mark' ? '' : `printf '${endMark}'`;
  const status = fault?.kind === 'source-exit-status' ? 1 : 0;
  const script = `head -c ${programBytes} /dev/zero; ${end}; exit ${status}`;
  const bytes = Buffer.concat([Buffer.alloc(programBytes), Buffer.from(endMark)]);
  return {
    database: 'cache',
    snapshot: new Map([['databases/cache/stream', { kind: 'stream', bytes }]]),
    sources: () => [new CommandSource({ name: 'cache', command: ['sh', '-c', script], endMark })],
  };
}

function noteFault(world: World, { hit }: Session, kind: string): void {
  if (!hit.has(kind)) world.count(`fault ${kind}`);
  hit.add(kind);
}

function application(world: World, session: Session, index: number): Application {
  const database = world.plan.world.databases[index] ?? 'shop';
  const version = (world.versions.get(database) ?? 0) + 1;
  world.versions.set(database, version);
  const fault = sourceFaultOf(session.faults);
  const share = fault?.kind === 'source-shrinks' ? 0.1 : 1;
  const snapshot = snapshotOf(database, version, share);
  const { process } = session;
  const onFault = (kind: string) => noteFault(world, session, kind);
  if (share < 1) onFault('source-shrinks');
  const hidesFailures = world.system.hidesSourceFailures === true;
  const ledger = world.ledgerOf(database);
  const ledgerFault = ledger && ledgerFaultOf(fault);
  const shared = { name: database, process, onFault };
  const simulated = { ...shared, snapshot, fault: ledgerFault === undefined ? fault : undefined, hidesFailures };
  const copiesFile = world.system.copiesDatabaseFiles === true;
  const own = { ...shared, name: ledgerName(database), fault: ledgerFault, copiesFile };
  const sources = () => [
    ...(ledger === undefined ? [] : [new LedgerSource({ ...own, ledger })]),
    new SimulatedSource({ ...simulated, part: 'table' }),
    new SimulatedTree({ ...simulated, part: 'file' }),
  ];
  if (ledger === undefined) return { database, snapshot, sources };
  ledger.mend();
  ledger.move(5);
  const part = { kind: 'sqlite' as const, bytes: Buffer.from(ledger.state()) };
  return { database, snapshot: new Map([...snapshot, [ledgerPath(database), part]]), sources };
}

/** Whether all earlier archives of a database on a storage are whole, and as large as they should be. */
function isComparable(world: World, session: Session, database: string, storageIndex: number): boolean {
  const storage = world.storages[storageIndex];
  const before = session.before[storageIndex] ?? new Map<string, Uint8Array>();
  const own = [...before].filter(([name]) => isArchiveName(name) && readName?.(name)?.database === database);
  return (
    storage !== undefined &&
    own.length > 0 &&
    own.every(([, bytes]) => {
      const archive = world.truth.archiveOf(bytes);
      const rows = archive?.snapshot.get(`databases/${database}/tables/customer`)?.rows ?? 0;
      return archive !== undefined && rows >= 20;
    })
  );
}

/** Kinds of source faults after which nothing may look like a backup. */
const fatal = ['source-fails', 'source-no-end-mark', 'source-exit-status', 'source-gone', 'source-empty'];

export function backupDeed(world: World, session: Session, action: BackupAction): Deed {
  const { system, clock, truth } = world;
  const fault = sourceFaultOf(session.faults);
  const { database, snapshot, sources } = action.usesProgram
    ? program(fault)
    : application(world, session, action.database);
  if (action.usesProgram && fault !== undefined) noteFault(world, session, fault.kind);
  const chosen = session.storages.filter((_, index) => action.storages.includes(index));
  const note = new Recorded();
  const work = async (): Promise<BackupReport> => {
    const wanted = archiveName(filenameTemplate, { names: [database], createdMs: clock.nowMs(), environment });
    const opened = chosen.map((named) => ({ ...named, copies: undefined, parityBlocks: undefined, folder: undefined }));
    const name = await freeName(wanted, opened);
    const outputs = chosen.map(({ name: label, storage }) => ({ label, storage, name }));
    const pending = outputs.map(({ label, storage }) => {
      return { storage: label, name, url: storage.url(name), state: 'pending' as const };
    });
    const { copies, dataBlocks, parityBlocks, compression } = world.plan.world;
    const given = { copies, dataBlocks, parityBlocks, compression, ...world.sealKeys };
    const previous = world.openKeys.keys === undefined ? {} : { previousKeys: world.openKeys.keys };
    const temporaryFolder = `${world.folder}/temporary`;
    return await recorded(
      world,
      session,
      { begun: { kind: 'backup', database, archives: pending }, note },
      () =>
        system.createBackup({
          ...world.run(session),
          ...given,
          ...previous,
          sources: sources(),
          output: outputs,
          temporaryFolder,
        }),
      (report) => system.backupOutcome([report]),
    );
  };
  const labels = chosen.map(({ name }) => name);
  const judge = (end: End<BackupReport>): string => {
    const hasFailed = end === 'died' || 'error' in end;
    if (note.isKnown && hasFailed) {
      const { startedMs } = note;
      for (const label of labels)
        truth.addRun(database, label, { startedMs, hold: end === 'died' ? 'died' : 'failed' });
    }
    if (end === 'died') return 'died';
    mustSucceed(session, end, `a backup of ${database}`);
    if ('error' in end) {
      hold(
        'no run is green that should not be',
        note.state !== 'succeeded',
        () => 'a backup that failed is recorded as one that did not',
      );
      return 'failed';
    }
    judgeReport(world, session, { report: end.result, database, note, storages: action.storages });
    return end.result.suspect ? 'suspect' : (note.state ?? 'not recorded');
  };
  return asDeed({ expected: { snapshot }, work, judge });
}

interface Judged {
  readonly report: BackupReport;
  readonly database: string;
  readonly note: Recorded;
  readonly storages: readonly number[];
}

function judgeReport(world: World, session: Session, { report, database, note, storages }: Judged): void {
  const { truth } = world;
  const isGreen = note.state === 'succeeded';
  const promise = 'no run is green that should not be';
  for (const kind of fatal) hold(promise, !session.hit.has(kind), () => `a backup succeeded in spite of ${kind}`);
  const incomplete = session.hit.has('source-changes') || report.outputs.some(({ error }) => error !== undefined);
  hold(promise, !(isGreen && incomplete), () => `an incomplete backup is green: ${[...session.hit].join(', ')}`);
  const onlyShrinks = session.hit.size === 1 && session.hit.has('source-shrinks') && !session.isShared;
  if (onlyShrinks && isComparable(world, session, database, storages[0] ?? 0)) {
    hold(
      promise,
      report.suspect && !isGreen,
      () => 'a database lost nine tenths of its rows, and the backup is not suspect',
    );
  }
  if (isClean(session))
    hold(
      'what nothing hinders succeeds',
      note.state === 'succeeded' || report.suspect,
      () => `a backup is ${note.state}`,
    );
  for (const output of report.outputs) {
    const label = output.storage ?? '';
    const { startedMs } = note;
    const reason = report.suspect ? 'suspect' : output.error === undefined ? undefined : 'failed';
    if (note.isKnown) truth.addRun(database, label, { startedMs, hold: reason });
    if (output.error !== undefined) continue;
    const isThere = session.changes.some(
      ({ storage, name, bytes }) =>
        storage.label === label && storage.url(name) === output.output && bytes !== undefined,
    );
    hold('never green but empty', isThere, () => `${output.output} was reported, and nothing appeared`);
    const { spread } = world;
    const isComplete =
      spread === undefined ||
      label !== spread.label ||
      session.isShared ||
      [...spread.objects.keys()].some((name) => spread.url(name) === output.output && spread.isComplete(name));
    hold(promise, !isGreen || isComplete, () => `${output.output} is green, and lacks shards`);
    if (!note.isKnown) continue;
    truth.learn(output.output, { isProven: !report.suspect, isSuspect: report.suspect, isDamaged: false });
  }
}
