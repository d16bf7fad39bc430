import { access } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { LoadedConfig } from '../config/load-config.ts';
import type { History } from '../history/history.ts';
import type { BegunRun, RunArchive } from '../history/run-record.ts';
import type { ArchiveLocation, BlockStep, Progress } from '../operation/options.ts';
import type { RunOutcome } from '../operation/record-run.ts';
import { Secret } from '../secret.ts';
import type { CommandContext } from './command-context.ts';
import { toHoldfastError } from './print-error.ts';
import { printNote } from './print-result.ts';
import { type GivenRun, withProgress } from './progress-line.ts';
import { withoutUndefined } from './without-undefined.ts';

/** Where the history is unless the configuration says: beside it. */
const defaultHistoryPath = '.holdfast/history.db';

/** The file of the history; undefined where it is in PostgreSQL. */
export function historyPath({ config, file }: LoadedConfig): string | undefined {
  if (config.history?.url !== undefined) return undefined;
  return resolve(dirname(file), config.history?.path ?? defaultHistoryPath);
}

/** The key that records of catalogues are signed with: beside the history, or where it would be. */
export function catalogueKeyPath(loaded: LoadedConfig): string {
  return join(dirname(historyPath(loaded) ?? resolve(dirname(loaded.file), defaultHistoryPath)), 'catalogue.key');
}

/** All files of the history: they change while a backup runs, and are no part of it. Nor is the key of catalogues, which stays on this machine. */
export function historyFiles(loaded: LoadedConfig): string[] {
  const path = historyPath(loaded);
  const files = path === undefined ? [] : ['', '-wal', '-shm', '-journal'].map((end) => `${path}${end}`);
  return [...files, catalogueKeyPath(loaded)];
}

/** The history of a configuration. Throws `history.unavailable`. */
export async function openConfiguredHistory(loaded: LoadedConfig): Promise<History> {
  const { openHistory } = await import('../history/history.ts');
  const { path, url, schema } = loaded.config.history ?? {};
  if (url !== undefined) return await openHistory({ url: new Secret(url), ...withoutUndefined({ schema }) });
  return await openHistory({ path: resolve(dirname(loaded.file), path ?? defaultHistoryPath) });
}

/** The history of the configuration in this folder; undefined where there is none, or, with a note, where it cannot be used. */
export async function findHistory(loaded: LoadedConfig | undefined, context: CommandContext) {
  try {
    if (loaded !== undefined) return await openConfiguredHistory(loaded);
    const { findConfigFile, loadConfig } = await import('../config/load-config.ts');
    if ((await findConfigFile('.')) === undefined) return undefined;
    return await openConfiguredHistory(await loadConfig('.', context.environment));
  } catch (thrown) {
    noteProblem(thrown, context);
    return undefined;
  }
}

/** A history to look into: none is made, and one that cannot be used is noted. */
export async function existingHistory(
  loaded: LoadedConfig,
  context: CommandContext,
  unknown = 'what drills found is not known',
): Promise<History | undefined> {
  const path = historyPath(loaded);
  try {
    if (path !== undefined) await access(path);
  } catch {
    // Nothing was recorded yet.
    return undefined;
  }
  try {
    return await openConfiguredHistory(loaded);
  } catch (thrown) {
    const { message, code } = toHoldfastError(thrown);
    printNote(context, `${unknown}: ${message} [${code}]`);
    return undefined;
  }
}

/** Says that a run goes on without its record, or without a part of it. */
export function noteProblem(thrown: unknown, context: CommandContext, what = 'this run is not recorded'): void {
  const { message, code } = toHoldfastError(thrown);
  printNote(context, `${what}: ${message} [${code}]`);
}

/** What is recorded, and where. */
export interface RecordOptions extends Pick<BegunRun, 'kind' | 'job' | 'scheduledMs' | 'database'> {
  readonly archives?: readonly RunArchive[];
  /** Where the archive of a step lies: what is found of its blocks is kept. */
  readonly blocksOf?: (step: BlockStep) => string | undefined;
  readonly json?: boolean | undefined;
  /** A run that changes nothing is not recorded. */
  readonly dryRun?: boolean | undefined;
  readonly loaded?: LoadedConfig | undefined;
}

/** Runs work with its progress on the terminal, and its record in the history where there is one. */
export async function withRecord<Result>(
  context: CommandContext,
  options: RecordOptions,
  work: (run: GivenRun) => Promise<Result>,
  outcomeOf: (result: Result) => RunOutcome,
): Promise<Result> {
  const { dryRun = false, loaded, ...record } = options;
  const history = dryRun ? undefined : await findHistory(loaded, context);
  try {
    return await recordIn(history, context, record, work, outcomeOf);
  } finally {
    await history?.close();
  }
}

/** As {@link withRecord}, in a history that is open already, or in none. */
export async function recordIn<Result>(
  history: History | undefined,
  context: CommandContext,
  options: Omit<RecordOptions, 'dryRun' | 'loaded'>,
  work: (run: GivenRun) => Promise<Result>,
  outcomeOf: (result: Result) => RunOutcome,
): Promise<Result> {
  const { json, blocksOf, ...begun } = options;
  if (history === undefined) return await withProgress(context, json, work);
  const { recordRun } = await import('../operation/record-run.ts');
  const { clock } = context;
  const onProblem = (error: unknown) => noteProblem(error, context);
  const onBegun = (id: string) => {
    context.recordedRun = id;
  };
  const id = await nextRunId(history, context);
  const { runLog } = context;
  const takeLog = runLog && (() => runLog.take());
  return await recordRun(
    { ...begun, history, clock, onProblem, onBegun, ...withoutUndefined({ id, takeLog }) },
    async (onPhase) => {
      const onProgress = (progress: Progress) => {
        onPhase(progress);
        runLog?.enter(progress.phase);
      };
      try {
        const told = (run: GivenRun) => withBlockMaps(run, { history, blocksOf }, context, work);
        return await withProgress(context, json, told, onProgress);
      } catch (thrown) {
        const { message, code } = toHoldfastError(thrown);
        runLog?.add(`failed: ${message} [${code}]`);
        throw thrown;
      }
    },
    outcomeOf,
  );
}

/** How a note begins that the history could not take in what was found of blocks. */
export const blocksUnkept = 'what was found of the blocks is not kept';

/** Runs work, and keeps in the history what it finds of the blocks of archives. */
export async function withBlockMaps<Result>(
  run: GivenRun,
  {
    history,
    blocksOf,
  }: { readonly history: History | undefined; readonly blocksOf: RecordOptions['blocksOf'] | undefined },
  context: CommandContext,
  work: (run: GivenRun) => Promise<Result>,
): Promise<Result> {
  if (history === undefined || blocksOf === undefined) return await work(run);
  const { BlockMapRecord } = await import('./record-block-maps.ts');
  const onProblem = (error: unknown) => noteProblem(error, context, blocksUnkept);
  const record = new BlockMapRecord({ history, clock: context.clock, urlOf: blocksOf, onProblem });
  const onBlocks = (step: BlockStep) => {
    run.onBlocks?.(step);
    record.see(step);
  };
  try {
    return await work({ ...run, onBlocks });
  } finally {
    await record.end();
  }
}

/** The variable by which a process that starts this one says what the first run is called in the history: its own log names it. */
export const runIdVariable = 'HOLDFAST_RUN_ID';

const startedRuns = new WeakMap<CommandContext, number>();

/** Where a command makes several runs, each later one has the next number for its last four digits. */
async function nextRunId(history: History, context: CommandContext): Promise<string | undefined> {
  const [, start, end = ''] = /^([0-9a-f]{20})([0-9a-f]{4})$/.exec(context.environment[runIdVariable] ?? '') ?? [];
  if (start === undefined) return undefined;
  const count = startedRuns.get(context) ?? 0;
  startedRuns.set(context, count + 1);
  const number = (Number.parseInt(end, 16) + count) % 0x10000;
  const id = start + number.toString(16).padStart(4, '0');
  // A variable that was left set would else keep later runs from being recorded.
  return (await history.hasRun(id).catch(() => true)) ? undefined : id;
}

/** An archive of the command line, as it is recorded. */
export function recordedArchive(location: ArchiveLocation, storage: string | undefined): RunArchive {
  if (typeof location === 'string') return { url: resolve(location), state: 'found' };
  if (!('storage' in location)) return { url: 'bytes at hand', state: 'found' };
  const { name } = location;
  return { url: location.storage.url(name), name, ...withoutUndefined({ storage }), state: 'found' };
}
