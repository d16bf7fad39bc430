import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type HoldfastError, throwIfAborted } from '../errors.ts';
import type { ArchiveLocation, ArchiveSummary } from '../operation/options.ts';
import { onPath } from '../storage/durable-file.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatMoment, formatSize, paint, printable } from './format-value.ts';
import { toHoldfastError } from './print-error.ts';
import { formatTable, printJson, printLines, printNote } from './print-result.ts';
import { openSynchronousFile } from './synchronous-file.ts';

/** Headers that are read without looking up, on the main thread: signals are heard between, some milliseconds later. */
const headersInOneGo = 64;

/** A row of the list; a file that is no archive has an error in place of a header. */
interface ListedArchive {
  readonly path: string;
  readonly sizeBytes: number;
  readonly summary?: ArchiveSummary;
  readonly error?: HoldfastError;
}

/** Adds `holdfast list`. */
export function addListCommand(program: Command, context: CommandContext): void {
  program
    .command('list')
    .description('list archives by their headers; needs no key')
    .argument('<path...>', 'archives, and folders that hold some')
    .option('--json', 'print the result as JSON')
    .action(async (paths: string[], options: OutputOptions) => {
      const archives = await readHeaders(await findArchives(paths), context.signal);
      archives.sort(byCreation);
      if (options.json) printJson(context, { archives: archives.map(toJson) });
      else printArchives(archives, context);
    });
}

/** Files as they are named; of folders, what ends in `.holdfast`. */
async function findArchives(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    await onPath(path, async () => {
      if (!(await stat(path)).isDirectory()) return found.push(path);
      const names = (await readdir(path)).filter((name) => name.endsWith('.holdfast'));
      return found.push(...names.map((name) => join(path, name)));
    });
  }
  return found;
}

async function readHeaders(paths: readonly string[], signal: AbortSignal): Promise<ListedArchive[]> {
  const { summarizeArchive } = await import('../operation/inspect.ts');
  const listed: ListedArchive[] = [];
  for (const [index, path] of paths.entries()) {
    if (index % headersInOneGo === 0) await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(signal);
    try {
      const { sizeBytes, ...summary } = await readHeader(path, summarizeArchive);
      listed.push({ path, sizeBytes, summary });
    } catch (thrown) {
      // One unreadable file must not hide the others: it stands in the list with its error.
      listed.push({ path, sizeBytes: await sizeOf(path), error: toHoldfastError(thrown) });
    }
  }
  return listed;
}

type Summarize = (archive: ArchiveLocation) => Promise<ArchiveSummary & { readonly sizeBytes: number }>;

async function readHeader(path: string, summarize: Summarize): ReturnType<Summarize> {
  const file = await onPath(path, async () => openSynchronousFile(path));
  try {
    return await summarize(file ?? path);
  } finally {
    await file?.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    // Its error is in the list already; the size is only shown beside it.
    return 0;
  }
}

function byCreation(left: ListedArchive, right: ListedArchive): number {
  const created = (left.summary?.createdMs ?? 0) - (right.summary?.createdMs ?? 0);
  if (created !== 0) return created;
  return left.path < right.path ? -1 : 1;
}

function toJson({ path, sizeBytes, summary, error }: ListedArchive): object {
  if (error !== undefined) {
    const { code, message } = error;
    return { path, sizeBytes, state: 'unreadable', error: { code, message } };
  }
  return { path, sizeBytes, state: 'readable', ...summary };
}

function printArchives(archives: readonly ListedArchive[], context: CommandContext): void {
  if (archives.length === 0) {
    printNote(context, 'no archives here');
    return;
  }
  const rows = archives.map(({ path, sizeBytes, summary, error }) => {
    if (summary === undefined) {
      return [printable(path), formatSize(sizeBytes), '', '', paint(context, context.stdout, 'red', error?.code ?? '')];
    }
    return [
      printable(path),
      formatSize(sizeBytes),
      formatMoment(summary.createdMs),
      summary.encryption,
      summary.slots.map((slot) => printable(slot.label === '' ? slot.type : `${slot.type} (${slot.label})`)).join(', '),
    ];
  });
  printLines(context, formatTable(context, ['archive', '>size', 'created', 'encryption', 'keys'], rows));
}
