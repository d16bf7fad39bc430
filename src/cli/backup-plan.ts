import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SpreadShape } from '../archive/spread/shard-format.ts';
import type { SourceDescription } from '../source/source.ts';
import type { BackupRequest } from './backup-request.ts';
import type { CommandContext } from './command-context.ts';
import { formatCount, formatNumberOf, formatSize, paint, printable } from './format-value.ts';
import { formatTable, printJson, printLines, printNote } from './print-result.ts';
import { withoutUndefined } from './without-undefined.ts';

/** Says what would be backed up, and where to. */
export async function printPlan(request: BackupRequest, context: CommandContext): Promise<void> {
  const { collectSources } = await import('./collect-sources.ts');
  const { plainSourceFromUrl } = await import('../source/parse-url.ts');
  const sources = [...(await collectSources(request.sources, request.local))];
  for (const { request: plain } of request.plain) {
    const { url, format: _, ...settings } = plain;
    sources.push(await plainSourceFromUrl(url, settings));
  }
  const { temporaryFolder = tmpdir(), json } = request.options;
  const folder = await mkdtemp(join(temporaryFolder, 'holdfast-'));
  const plan: (SourceDescription & { name: string })[] = [];
  try {
    for (const source of sources) {
      const description = await source.describe({
        signal: context.signal,
        report: (problem) => printNote(context, `${problem.path}: ${problem.message} [${problem.code}]`),
        temporaryFolder: folder,
      });
      plan.push({ name: source.name, ...description });
    }
  } finally {
    for (const source of sources) await source.close();
    await rm(folder, { recursive: true, force: true });
  }
  await noteNestedStorages(request, context);
  const { labels } = request;
  const spread = spreadOf(request);
  if (json) {
    const places = { output: labels[0], outputs: labels, ...withoutUndefined({ spread }) };
    return printJson(context, { dryRun: true, ...places, sources: plan });
  }
  const size = (sizeBytes: number) => (sizeBytes > 0 ? formatSize(sizeBytes) : '');
  printLines(context, [
    `${paint(context, context.stdout, 'bold', printable(labels.join(', ')))}: would be written from`,
    ...formatTable(
      context,
      ['type', 'name', '>size', 'source'],
      plan.map(({ type, name, label, expectedSizeBytes }) => [
        type,
        printable(name),
        size(expectedSizeBytes),
        printable(label),
      ]),
    ),
    ...plan.flatMap((source) => formatTables(source, context)),
    ...(spread === undefined ? [] : ['', formatSpread(spread)]),
  ]);
}

/** Over which storages an archive is laid, in the order of its shards. */
interface PlannedSpread extends SpreadShape {
  readonly storages: readonly string[];
}

/** There is at most one storage that spreads its archives. */
function spreadOf({ groups }: BackupRequest): PlannedSpread | undefined {
  const outputs = groups.flatMap(({ output }) => (typeof output === 'string' ? [] : output));
  const [spread] = outputs.flatMap(({ storage }) => storage.spread ?? []);
  return spread && { ...spread.shape, storages: spread.members.map(({ label }) => label) };
}

function formatSpread({ data, parity, storages }: PlannedSpread): string {
  return printable(`${data} + ${parity} shards, of which any ${data} restore it, on ${storages.join(', ')}`);
}

/** Says of which storages the archives are left out, since they lie in a tree that is backed up. */
async function noteNestedStorages({ sources, local }: BackupRequest, context: CommandContext): Promise<void> {
  const { storageFoldersIn } = await import('./collect-sources.ts');
  for (const source of sources) {
    if (!('path' in source)) continue;
    for (const folder of await storageFoldersIn(source.path, local.storageFolders)) {
      printNote(context, `the archives in ${folder} lie in ${source.path}, and are not backed up with it`);
    }
  }
}

/** The tables of a source, with the estimates of its server. */
function formatTables(source: SourceDescription & { readonly name: string }, context: CommandContext): string[] {
  const { tables = [], name, type, version } = source;
  if (tables.length === 0) return [];
  const title = `${name}: ${type}${version === undefined ? '' : ` ${version}`}, ${formatNumberOf(tables.length, 'table')}`;
  return [
    '',
    paint(context, context.stdout, 'bold', printable(title)),
    ...formatTable(
      context,
      ['table', '>rows, about', '>size, about'],
      tables.map(({ name: table, expectedRows, expectedSizeBytes }) => [
        printable(table),
        expectedRows === undefined ? '' : formatCount(expectedRows),
        formatSize(expectedSizeBytes),
      ]),
    ),
  ];
}
