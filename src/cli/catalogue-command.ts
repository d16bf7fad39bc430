import type { Command } from 'commander';
import { parseHead } from '../catalogue/chain-head.ts';
import { HoldfastError } from '../errors.ts';
import { type CatalogueFinding, isViolation } from '../operation/catalogue-finding.ts';
import type { CatalogueReport } from '../operation/verify-catalogue.ts';
import { askYes, terminalForQuestion } from './ask.ts';
import { catalogueExitCode, openCatalogueWriter, ownPublicKey } from './catalogue-access.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatDuration, formatNumberOf, paint, printable } from './format-value.ts';
import { gather } from './key-options.ts';
import { type OpenedStorage, openChosenStorages } from './open-storages.ts';
import { formatFacts, formatTable, printJson, printLines, printNote } from './print-result.ts';
import { existingHistory } from './record.ts';

interface CatalogueOptions extends OutputOptions {
  readonly storage?: readonly string[];
}

/** Adds `holdfast catalogue`. */
export function addCatalogueCommand(program: Command, context: CommandContext): void {
  const catalogue = program
    .command('catalogue')
    .description('the signed list of what was put on each storage and removed: tells what else happened there');
  addStorageOption(
    catalogue
      .command('verify')
      .description(
        'tell archives that are gone, changed, renamed or came back, and catalogues that were rolled back; needs no key',
      ),
  )
    .option('--expect-head <head>', 'a head that was noted elsewhere must be there (repeatable)', gather)
    .option('--names-only', 'go by names and sizes, and open no archive')
    .option('--json', 'print the result as JSON')
    .action((options: VerifyOptions) => verify(options, context));
  addStorageOption(
    catalogue
      .command('heads')
      .description('print the end of each chain, to be noted where the storages cannot be reached'),
  )
    .option('--json', 'print the result as JSON')
    .action((options: CatalogueOptions) => printHeads(options, context));
  addStorageOption(
    catalogue.command('accept').description('take what is on the storages now as right, after you have looked into it'),
  )
    .option('--yes', 'do not ask')
    .option('--json', 'print the result as JSON')
    .action((options: AcceptOptions) => accept(options, context));
}

function addStorageOption(command: Command): Command {
  return command.option(
    '--storage <name>',
    'a storage of holdfast.config.ts (all enabled ones unless given; repeatable)',
    gather,
  );
}

interface VerifyOptions extends CatalogueOptions {
  readonly expectHead?: readonly string[];
  readonly namesOnly?: boolean;
}

interface AcceptOptions extends CatalogueOptions {
  readonly yes?: boolean;
}

/** The storages of the configuration in this folder, and its history where there is one. */
async function withCatalogue<Result>(
  names: readonly string[] | undefined,
  context: CommandContext,
  work: (opened: {
    readonly storages: readonly OpenedStorage[];
    readonly loaded: Awaited<ReturnType<typeof load>>;
  }) => Promise<Result>,
): Promise<Result> {
  const loaded = await load(context);
  const storages = await openChosenStorages(loaded, names, context);
  try {
    return await work({ storages, loaded });
  } finally {
    for (const { storage } of storages) await storage.close();
  }
}

async function load(context: CommandContext) {
  const { loadConfig } = await import('../config/load-config.ts');
  const loaded = await loadConfig('.', context.environment);
  if (loaded.config.catalogue !== false) return loaded;
  throw new HoldfastError('config.invalid', {
    message: `${loaded.file}: catalogue is false: there is none`,
    hint: 'take it out to have one from now on',
  });
}

async function verify(options: VerifyOptions, context: CommandContext): Promise<void> {
  const { verifyCatalogue } = await import('../operation/verify-catalogue.ts');
  const expectedHeads = (options.expectHead ?? []).map(parseHead);
  const report = await withCatalogue(options.storage, context, async ({ storages, loaded }) => {
    const history = await existingHistory(loaded, context);
    try {
      const state = history?.catalogue;
      const level = options.namesOnly ? 'names' : 'headers';
      const { signal, clock } = context;
      const key = await ownPublicKey(loaded);
      return await verifyCatalogue({ storages, state, level, expectedHeads, ownPublicKey: key, signal, clock });
    } finally {
      await history?.close();
    }
  });
  if (options.json) printJson(context, report);
  else printReport(report, context);
  for (const { storage, error } of report.failedStorages) {
    printNote(context, `${storage}: ${error.message} [${error.code}]`);
  }
  context.exitCode = catalogueExitCode(report);
}

async function printHeads(options: CatalogueOptions, context: CommandContext): Promise<void> {
  const { readChains } = await import('../catalogue/chain.ts');
  const { formatHead } = await import('../catalogue/chain-head.ts');
  const heads = await withCatalogue(options.storage, context, async ({ storages }) => {
    const found: { storage: string; head: string }[] = [];
    for (const { name, storage } of storages) {
      for (const { chain, head } of await readChains(storage, { signal: context.signal })) {
        if (head !== undefined) found.push({ storage: name, head: formatHead(chain, head) });
      }
    }
    return found;
  });
  if (options.json) printJson(context, { heads });
  else if (heads.length === 0) printNote(context, 'there is no catalogue yet: the next backup begins one');
  else
    printLines(
      context,
      formatTable(
        context,
        ['storage', 'head'],
        heads.map(({ storage, head }) => [printable(storage), head]),
      ),
    );
}

async function accept(options: AcceptOptions, context: CommandContext): Promise<void> {
  const { acceptCatalogue } = await import('../operation/accept-catalogue.ts');
  const terminal = options.yes ? undefined : terminalForQuestion(context, 'this');
  try {
    const findings = await withCatalogue(options.storage, context, async ({ storages, loaded }) => {
      const { history, writer } = await openCatalogueWriter(loaded, context);
      try {
        const confirm = async (found: readonly CatalogueFinding[]) => {
          if (terminal === undefined) return true;
          terminal.output.write(`This would be taken as right:\n${formatFindings(found, context).join('\n')}\n`);
          if (await askYes(terminal, 'Accept?', context.signal)) return true;
          throw new HoldfastError('operation.interrupted', {
            message: 'not confirmed: nothing was changed',
            hint: 'answer y to accept',
          });
        };
        const state = history.catalogue;
        const { signal, clock } = context;
        const key = await ownPublicKey(loaded);
        return await acceptCatalogue({ storages, state, writer, confirm, ownPublicKey: key, signal, clock });
      } finally {
        await history.close();
      }
    });
    if (options.json) printJson(context, { accepted: findings });
    else
      printLines(context, [
        `catalogue: ${formatNumberOf(findings.length, 'finding')} accepted`,
        ...formatFindings(findings, context),
      ]);
  } finally {
    terminal?.close();
  }
}

function formatFindings(findings: readonly CatalogueFinding[], context: CommandContext): string[] {
  if (findings.length === 0) return [];
  const rows = findings.map((finding) => [
    printable(finding.storage),
    printable(finding.name ?? finding.chain ?? ''),
    paint(context, context.stdout, isViolation(finding) ? 'red' : 'yellow', finding.kind.replaceAll('_', ' ')),
    printable(finding.message),
  ]);
  return formatTable(context, ['storage', 'of', 'finding', 'what was found'], rows);
}

function printReport(report: CatalogueReport, context: CommandContext): void {
  const { storages, findings, isViolated, durationMs } = report;
  const chains = storages.flatMap((one) => one.chains);
  const verdict = isViolated
    ? paint(context, context.stdout, 'red', 'not as it was left')
    : findings.length > 0
      ? paint(context, context.stdout, 'yellow', 'not sure')
      : paint(context, context.stdout, 'green', chains.length > 0 ? 'as it was left' : 'there is none yet');
  const archiveCount = storages.reduce((sum, one) => sum + one.archiveCount, 0);
  printLines(context, [
    `${paint(context, context.stdout, 'bold', 'catalogue')}: ${verdict}`,
    ...formatFindings(findings, context),
    ...formatFacts(context, [
      ['archives', formatNumberOf(archiveCount, 'archive')],
      ...chains.flatMap(({ head }): [string, string][] => (head === undefined ? [] : [['head', head]])),
      ['time', formatDuration(durationMs)],
    ]),
  ]);
}
