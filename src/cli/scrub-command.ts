import type { Command } from 'commander';
import type { LoadedConfig } from '../config/load-config.ts';
import type { HoldfastError } from '../errors.ts';
import type { PlainDigest } from '../history/run-record.ts';
import type { DamagedArchive } from '../notify/run-notifications.ts';
import type { DeliveryReport } from '../notify/send-all.ts';
import { isViolation } from '../operation/catalogue-finding.ts';
import type { BlockStep } from '../operation/options.ts';
import type { NamedStorage, ScrubbedArchive, ScrubReport } from '../operation/scrub.ts';
import type { CatalogueReport } from '../operation/verify-catalogue.ts';
import { lookAtCatalogues, noteFindings, violationError } from './catalogue-access.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatCount, formatDuration, formatNumberOf, type Paint, paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { notify, notifyingFailure } from './notify-run.ts';
import { addThreadsOption } from './number-options.ts';
import { withStorages } from './open-storages.ts';
import { formatFacts, formatTable, printJson, printLines, printNote } from './print-result.ts';
import { existingHistory, withRecord } from './record.ts';
import { withoutUndefined } from './without-undefined.ts';

interface ScrubCommandOptions extends OutputOptions {
  readonly storage?: readonly string[];
  /** False with `--no-missing`. */
  readonly missing: boolean;
  readonly dryRun?: boolean;
  readonly threads?: number;
}

/** Adds `holdfast scrub`. */
export function addScrubCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('scrub')
    .description('read every archive on the storages, and mend what is damaged or missing; needs no key')
    .option('--storage <name>', 'a storage of holdfast.config.ts (all enabled ones unless given; repeatable)', gather)
    .option('--no-missing', 'do not bring back archives that a storage lacks')
    .option('--dry-run', 'look, and write nothing')
    .option('--json', 'print the result as JSON');
  addThreadsOption(command).action(async (options: ScrubCommandOptions) => {
    const { dryRun, threads, json } = options;
    const { scrubStorages } = await import('../operation/scrub.ts');
    const { scrubOutcome } = await import('../operation/run-outcomes.ts');
    const { loadConfig } = await import('../config/load-config.ts');
    const { scrubJob } = await import('../config/job-names.ts');
    const configured = await loadConfig('.', context.environment);
    const restoreMissing = options.missing && configured.config.scrub?.restoreMissing !== false;
    // One of some storages is not what the schedule means.
    const job = options.storage === undefined ? scrubJob : undefined;
    const loaded = dryRun ? undefined : configured;
    const plainDigestOf = await recordedDigests(configured, context);
    const { report, found } = await notifyingFailure(loaded, 'the scrub', context, () =>
      withStorages(options.storage, context, async (storages) => {
        // Before anything is brought back: what was missing would not be seen any more.
        const looked = await lookAtCatalogues(storages, configured, 'headers', context);
        const scrubbed = await withRecord(
          context,
          { kind: 'scrub', json, dryRun, loaded: configured, blocksOf: urlIn(storages), ...withoutUndefined({ job }) },
          (run) =>
            scrubStorages({
              storages,
              restoreMissing,
              plainDigestOf,
              ...withoutUndefined({ dryRun, threads }),
              ...run,
            }),
          (result) => scrubOutcome(storages, result),
        );
        return { report: scrubbed, found: looked };
      }),
    );
    const exitCode = exitCodeOf(report);
    const catalogue = found && withoutDamage(found, report);
    const violation = exitCode < 10 && catalogue !== undefined ? violationError(catalogue) : undefined;
    const notifications = await tellOfScrub(report, violation, loaded, context);
    const told = notifications.length > 0 ? { notifications } : {};
    if (json) printJson(context, { ...report, ...withoutUndefined({ catalogue }), ...told });
    else printReport(report, context);
    noteFindings(catalogue, context);
    context.exitCode = violation?.exitCode ?? exitCode;
  });
}

/** Where the archive of a step lies. */
function urlIn(storages: readonly NamedStorage[]) {
  return ({ storage: label, archive }: BlockStep): string | undefined => {
    const named = storages.find(({ name }) => name === label);
    return archive === undefined ? undefined : named?.storage.url(archive);
  };
}

/** What the history has of plain dumps: by their place; one that was copied to another storage has the bytes of its name. */
async function recordedDigests(loaded: LoadedConfig, context: CommandContext) {
  const byUrl = new Map<string, PlainDigest>();
  const byName = new Map<string, PlainDigest>();
  const history = await existingHistory(loaded, context, 'what plain dumps were is not known');
  try {
    // Newest first: what was written last is there.
    for (const digest of (await history?.plainDigests()) ?? []) {
      const { url, name } = digest;
      if (!byUrl.has(url)) byUrl.set(url, digest);
      if (name !== undefined && !byName.has(name)) byName.set(name, digest);
    }
  } finally {
    await history?.close();
  }
  return ({ url, name }: { readonly url: string; readonly name: string }) => byUrl.get(url) ?? byName.get(name);
}

/** What is damaged is also another than the catalogue says: that it is damaged, or was mended, says more. */
function withoutDamage(found: CatalogueReport, { archives }: ScrubReport): CatalogueReport {
  const damaged = new Set(archives.filter(({ state }) => state !== 'intact').map(placeOf));
  const findings = found.findings.filter((finding) => finding.kind !== 'changed' || !damaged.has(placeOf(finding)));
  return { ...found, findings, isViolated: findings.some(isViolation) };
}

function placeOf({ storage, name }: { readonly storage: string; readonly name?: string }): string {
  return `${storage}\0${name}`;
}

async function tellOfScrub(
  { archives, failedStorages }: ScrubReport,
  violation: HoldfastError | undefined,
  loaded: LoadedConfig | undefined,
  context: CommandContext,
): Promise<DeliveryReport[]> {
  return await notify(loaded, context, async (given) => {
    const { damageNotifications, failureNotification } = await import('../notify/run-notifications.ts');
    const damaged = archives.flatMap(({ storage, name, state, error }): DamagedArchive[] => {
      if (state === 'intact') return [];
      if (state === 'unreadable') return error?.code === 'archive.corrupt' ? [{ storage, name, state: 'lost' }] : [];
      return [{ storage, name, state: toldStates[state] }];
    });
    const unread = [
      ...archives.filter(({ state, error }) => state === 'unreadable' && error?.code !== 'archive.corrupt'),
      ...failedStorages,
    ];
    const failures = unread.slice(0, 1).flatMap(({ storage, error }) => {
      const more = unread.length > 1 ? ` (and ${unread.length - 1} more)` : '';
      return error === undefined ? [] : [failureNotification(`the scrub of ${storage}${more}`, error, given)];
    });
    const violations =
      violation === undefined ? [] : [failureNotification('the look at the catalogue', violation, given)];
    return [...damageNotifications(damaged, given), ...failures, ...violations];
  });
}

const toldStates = {
  repaired: 'repaired',
  restored: 'repaired',
  repairable: 'repairable',
  missing: 'repairable',
  lost: 'lost',
} as const;

const exitCodes = {
  intact: 0,
  repaired: 0,
  restored: 0,
  repairable: 10,
  missing: 10,
  lost: 11,
  unreadable: 3,
} as const satisfies Record<ScrubbedArchive['state'], number>;

/** The worst of all: what is lost, then what is damaged still, then what could not be looked at. */
function exitCodeOf({ archives, failedStorages }: ScrubReport): number {
  const codes = archives.map(({ state, error }) => (error?.code === 'archive.corrupt' ? 11 : exitCodes[state]));
  return Math.max(failedStorages.length > 0 ? 3 : 0, ...codes);
}

const colours = {
  intact: 'green',
  repaired: 'green',
  restored: 'green',
  repairable: 'yellow',
  missing: 'yellow',
  lost: 'red',
  unreadable: 'red',
} as const satisfies Record<ScrubbedArchive['state'], Paint>;

function printReport({ archives, failedStorages, durationMs }: ScrubReport, context: CommandContext): void {
  const rows = archives.map(({ storage, name, state, blocks, from, format }) => [
    printable(storage),
    printable(name),
    blocks === undefined ? '' : formatCount(blocks.damaged),
    paint(context, context.stdout, colours[state], state),
    [...(format === 'plain' ? ['plain dump'] : []), ...(from ?? []).map(printable)].join(', '),
  ]);
  const count = (state: ScrubbedArchive['state']) => archives.filter((archive) => archive.state === state).length;
  const states = Object.keys(exitCodes) as ScrubbedArchive['state'][];
  const counts = states.filter((state) => count(state) > 0).map((state) => `${formatCount(count(state))} ${state}`);
  printLines(context, [
    `${paint(context, context.stdout, 'bold', formatNumberOf(archives.length, 'archive'))}: ${counts.join(', ') || 'none'}`,
    ...(rows.length > 0 ? formatTable(context, ['storage', 'archive', '>damaged', 'state', 'from'], rows) : []),
    ...formatFacts(context, [['time', formatDuration(durationMs)]]),
  ]);
  const unknownCount = archives.filter(({ isCompared }) => isCompared === false).length;
  if (unknownCount > 0) {
    const dumps = formatNumberOf(unknownCount, 'plain dump');
    printNote(
      context,
      `${dumps} of which the history has no SHA-256: checked as far as that goes without a key, and not to be mended`,
    );
  }
  const rebuiltCount = archives.filter(({ isComparedFromRebuild }) => isComparedFromRebuild === true).length;
  if (rebuiltCount > 0) {
    printNote(
      context,
      `${formatNumberOf(rebuiltCount, 'plain dump')} compared with what they were when the history was rebuilt: what became of them before that is not seen`,
    );
  }
  for (const { storage, name, error } of archives) {
    if (error !== undefined) printNote(context, `${storage}: ${name}: ${error.message} [${error.code}]`);
  }
  for (const { storage, error } of failedStorages) printNote(context, `${storage}: ${error.message} [${error.code}]`);
}
