import type { Command } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { AuditedDatabase, DatabaseAudit } from '../operation/audit-files.ts';
import type { TreeAudit } from '../source/model/files/audit-files.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatCount, formatNumberOf, formatSize, paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { printJson, printLines, printNote } from './print-result.ts';

/** Findings of a kind that are shown of each place. */
const mostShown = 20;

interface AuditCommandOptions extends OutputOptions {
  readonly database?: readonly string[];
}

/** Adds `holdfast files`. */
export function addFilesCommand(program: Command, context: CommandContext): void {
  const files = program.command('files').description('the files that rows of databases name');
  files
    .command('audit')
    .description('list rows whose file is missing, and files that no row names')
    .option(
      '--database <alias>',
      'a database of holdfast.config.ts (all enabled ones unless given; repeatable)',
      gather,
    )
    .option('--json', 'print the result as JSON')
    .action(async (options: AuditCommandOptions) => {
      const { auditDatabases } = await import('../operation/audit-files.ts');
      const databases = await auditedDatabases(options, context);
      const audits = await auditDatabases(databases, { signal: context.signal });
      const isClean = audits.every(({ trees }) =>
        trees.every((tree) => tree.rowsWithoutFilesCount + tree.filesWithoutRowsCount === 0),
      );
      if (options.json) printJson(context, { databases: audits });
      else for (const audit of audits) printAudit(audit, context);
      context.exitCode = isClean ? 0 : 3;
    });
}

async function auditedDatabases(
  { database: asked }: AuditCommandOptions,
  context: CommandContext,
): Promise<AuditedDatabase[]> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { configuredSources, withMediaStorages } = await import('./backup-request.ts');
  const loaded = await loadConfig('.', context.environment);
  const known = configuredSources(loaded, {}).flatMap((request): AuditedDatabase[] => {
    if (!('url' in request)) return [];
    const { url, name = 'database', models = {}, timeoutMs } = withMediaStorages(request, loaded, context);
    return [{ url, name, models, ...(timeoutMs === undefined ? {} : { timeoutMs }) }];
  });
  const unknown = asked?.find((name) => !known.some((one) => one.name === name));
  if (unknown !== undefined || known.length === 0) {
    throw new HoldfastError('usage.invalid', {
      message: unknown === undefined ? `${loaded.file} names no databases` : `there is no database ${unknown}`,
      hint: `the configuration has ${known.map(({ name }) => name).join(', ') || 'none'}`,
    });
  }
  return known.filter(({ name }) => asked === undefined || asked.includes(name));
}

function printAudit({ database, trees }: DatabaseAudit, context: CommandContext): void {
  const name = paint(context, context.stdout, 'bold', printable(database));
  if (trees.length === 0) printLines(context, [`${name}: no column names files`]);
  for (const tree of trees) {
    const { rowsWithoutFilesCount: rows, filesWithoutRowsCount: files } = tree;
    const verdict =
      rows + files === 0
        ? paint(context, context.stdout, 'green', 'rows and files agree')
        : paint(
            context,
            context.stdout,
            'yellow',
            `${formatNumberOf(rows, 'row')} without files, ${formatNumberOf(files, 'file')} without rows (${formatSize(tree.filesWithoutRowsBytes)})`,
          );
    const all = `${formatNumberOf(tree.fileCount, 'file')}, ${formatSize(tree.sizeBytes)}`;
    printLines(context, [`${name}: ${printable(tree.place)}: ${verdict}; ${all} in all`]);
    printFindings(tree, context);
  }
}

function printFindings(tree: TreeAudit, context: CommandContext): void {
  for (const { row, column, path, reason, rowCount } of tree.rowsWithoutFiles.slice(0, mostShown)) {
    const more = rowCount > 1 ? ` (and ${formatCount(rowCount - 1)} more)` : '';
    const why = reason === undefined ? 'which is not there' : `which cannot be kept: ${reason}`;
    printNote(context, printable(`${row}${more} names ${path} in ${column}, ${why}`));
  }
  for (const { path, sizeBytes } of tree.filesWithoutRows.slice(0, mostShown)) {
    printNote(context, printable(`no row names ${path} (${formatSize(sizeBytes)})`));
  }
  const shown = Math.min(tree.rowsWithoutFiles.length, mostShown) + Math.min(tree.filesWithoutRows.length, mostShown);
  const left = tree.rowsWithoutFiles.length + tree.filesWithoutRows.length - shown;
  if (left > 0) printNote(context, `${formatCount(left)} more findings: see --json`);
}
