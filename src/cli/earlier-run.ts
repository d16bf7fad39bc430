import type { History } from '../history/history.ts';
import type { RunArchive, RunRecord } from '../history/run-record.ts';
import { errorReport } from '../operation/error-report.ts';
import type { BackupOutput, OutputReport } from '../operation/options.ts';
import { createOnlyStorage } from '../storage/wrap/create-only.ts';
import type { BackupRequest } from './backup-request.ts';
import type { CommandContext } from './command-context.ts';
import { printJson, printLines, printNote } from './print-result.ts';
import { noteProblem, recordIn } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

/** A backup without what an earlier run for the same moment made before it died. */
export interface RestOfBackup {
  readonly rest: BackupRequest;
  /** Where archives of that run are. */
  readonly outputs: readonly OutputReport[];
}

/** One archive, or one plain dump, of a run. */
interface Unit {
  readonly outputs: readonly BackupOutput[];
  readonly database: string | undefined;
  readonly isArchive: boolean;
}

/**
 * Takes out of a backup what was made already for its moment. The names are those that earlier runs wrote into the history before they
 * wrote an archive: one that is on a storage is complete, and was read back. A storage that lacks it gets it from the one that has it.
 */
export async function withoutMade(
  history: History | undefined,
  request: BackupRequest,
  context: CommandContext,
): Promise<RestOfBackup> {
  const { job, scheduledMs, groups, plain, database } = request;
  const runs = history && job && scheduledMs ? await earlierRuns(history, { job, scheduledMs }, context) : [];
  if (runs.length === 0) return { rest: request, outputs: [] };
  const outputs: OutputReport[] = [];
  const isMade = async (output: string | readonly BackupOutput[], of: string | undefined, isArchive: boolean) => {
    if (typeof output === 'string') return false;
    const unit = { outputs: output, database: of, isArchive };
    const made = await findMade(unit, runs, context);
    if (made.length === 0) return false;
    outputs.push(...(await recordMade(history, { request, unit, made }, context)));
    return true;
  };
  const [restGroups, restPlain]: [BackupRequest['groups'][number][], BackupRequest['plain'][number][]] = [[], []];
  for (const group of groups) if (!(await isMade(group.output, database, true))) restGroups.push(group);
  for (const one of plain) if (!(await isMade(one.output, one.database, false))) restPlain.push(one);
  return { rest: { ...request, groups: restGroups, plain: restPlain }, outputs };
}

async function earlierRuns(
  history: History,
  moment: { readonly job: string; readonly scheduledMs: number },
  context: CommandContext,
): Promise<readonly RunRecord[]> {
  try {
    return await history.runs({ kind: 'backup', ...moment });
  } catch (error) {
    // Two archives are better than none.
    noteProblem(error, context);
    return [];
  }
}

/** What stands under the name was put there by somebody else. */
const nameIsTaken = 'storage.conflict';

interface Made {
  readonly output: BackupOutput;
  readonly name: string;
  readonly sizeBytes?: number;
}

/** Whether a run came to its end, and what it made may since have been removed on purpose. */
const isDone = ({ state }: RunRecord) => state === 'succeeded' || state === 'incomplete' || state === 'suspect';

async function findMade(unit: Unit, runs: readonly RunRecord[], context: CommandContext): Promise<Made[]> {
  const found: Made[] = [];
  for (const output of unit.outputs) {
    const known = runs
      .filter((run) => run.database === unit.database)
      .flatMap((run) => run.archives.map((archive) => ({ run, archive })))
      .filter(({ archive }) => archive.storage === output.label && archive.name !== undefined)
      .filter(({ run, archive }) => (archive.error ?? run.error)?.code !== nameIsTaken);
    for (const { run, archive } of known) {
      const { name = '' } = archive;
      const done = isDone(run) && archive.state !== 'failed' ? archive : await statOf(output, name, context);
      if (done === undefined) continue;
      found.push({ output, name, ...withoutUndefined({ sizeBytes: done.sizeBytes }) });
      break;
    }
  }
  return found;
}

async function statOf({ storage }: BackupOutput, name: string, context: CommandContext) {
  try {
    return await storage.stat(name);
  } catch (error) {
    const { code, message } = errorReport(error);
    // A storage that does not answer is asked again by the backup, which tells.
    if (code !== 'storage.not_found') printNote(context, `${storage.url(name)}: ${message} [${code}]`);
    return undefined;
  }
}

async function recordMade(
  history: History | undefined,
  given: { readonly request: BackupRequest; readonly unit: Unit; readonly made: readonly Made[] },
  context: CommandContext,
): Promise<OutputReport[]> {
  const { request, unit, made } = given;
  const { job, scheduledMs, options } = request;
  const about = withoutUndefined({ job, scheduledMs, database: unit.database });
  const digests = new Map<string, string>();
  return await recordIn(
    history,
    context,
    { kind: 'backup', json: options.json, ...about },
    async ({ signal }) => {
      const reports = made.map(
        ({ output: { storage, label }, name, sizeBytes }): OutputReport => ({
          ...withoutUndefined({ storage: label, sizeBytes }),
          output: storage.url(name),
        }),
      );
      const shards = unit.isArchive ? await completeShards(made, signal) : [];
      return [...reports, ...shards, ...(await fillOthers({ unit, made, digests }, signal))];
    },
    (outputs) => ({
      state: outputs.every(({ error }) => error === undefined) ? 'succeeded' : 'incomplete',
      archives: outputs.map((output) => toArchive(output, digests)),
    }),
  );
}

/** The run died after enough shards of the archive stood, and before all of them did. */
async function completeShards(made: readonly Made[], signal: AbortSignal): Promise<OutputReport[]> {
  const { chooseSet, missingShards } = await import('../storage/spread/shard-sets.ts');
  const reports: OutputReport[] = [];
  for (const { output, name } of made) {
    const { storage, label } = output;
    const { sets = [] } = (await storage.spread?.shardSets(`${name}.`)) ?? {};
    const chosen = chooseSet(sets.filter((set) => set.name === name));
    const missing = chosen === undefined ? [] : missingShards(chosen);
    const fail = (error: unknown, place = label) =>
      reports.push({ ...withoutUndefined({ storage: place }), output: storage.url(name), error: errorReport(error) });
    try {
      const rebuilt = missing.length === 0 ? [] : ((await storage.spread?.rebuild(name, missing, { signal })) ?? []);
      for (const { label: member, error } of rebuilt) if (error !== undefined) fail(error, member);
    } catch (error) {
      if (signal.aborted) throw error;
      fail(error);
    }
  }
  return reports;
}

interface Filling {
  readonly unit: Unit;
  readonly made: readonly Made[];
  /** Is given what plain dumps are that were copied, by their place. */
  readonly digests: Map<string, string>;
}

/** The run died after one storage had the archive, or the plain dump, and before another one. */
async function fillOthers(given: Filling, signal: AbortSignal): Promise<OutputReport[]> {
  const { unit, made, digests } = given;
  const [first] = made;
  if (first === undefined) return [];
  const { transferArchive } = await import('../operation/transfer.ts');
  const { copyPlainDump } = await import('../operation/plain-copies.ts');
  const { name } = first;
  const from = { storage: first.output.storage, name };
  const reports: OutputReport[] = [];
  for (const { storage, label } of unit.outputs.filter((one) => !made.some(({ output }) => output === one))) {
    const place = { ...withoutUndefined({ storage: label }), output: storage.url(name) };
    try {
      const to = { storage: createOnlyStorage(storage), name };
      const copied = unit.isArchive
        ? await transferArchive({ from: [from], to, run: { signal } })
        : await copyPlainDump(from, to, { signal });
      const { sizeBytes } = copied;
      if ('sha256' in copied) digests.set(place.output, copied.sha256);
      reports.push({ ...place, sizeBytes });
    } catch (error) {
      if (signal.aborted) throw error;
      reports.push({ ...place, error: errorReport(error) });
    }
  }
  return reports;
}

function toArchive(
  { output: url, storage, sizeBytes, error }: OutputReport,
  digests: ReadonlyMap<string, string>,
): RunArchive {
  const known = { url, ...withoutUndefined({ storage, sizeBytes, sha256: digests.get(url), error }) };
  return { ...known, state: error === undefined ? 'found' : 'failed' };
}

/** Says that nothing was left to do. Gives the exit code. */
export function printMade(
  outputs: readonly OutputReport[],
  json: boolean | undefined,
  context: CommandContext,
): number {
  if (json) printJson(context, { output: outputs[0]?.output, madeEarlier: true, outputs });
  else
    printLines(context, [
      'an earlier run has made the archive for this moment',
      ...outputs.map(({ output }) => `  ${output}`),
    ]);
  return outputs.every(({ error }) => error === undefined) ? 0 : 3;
}
