import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { paint, printable } from './format-value.ts';
import { formatFacts, printJson, printLines, printNote } from './print-result.ts';

/** Adds `holdfast config`. */
export function addConfigCommand(program: Command, context: CommandContext): void {
  const command = program.command('config').description('check and show the configuration of this folder');
  command
    .command('check')
    .description('say whether the configuration is valid, and all that is wrong with it')
    .option('--json', 'print the result as JSON')
    .action(async (options: OutputOptions) => {
      context.exitCode = await check(options, context);
    });
  command
    .command('show')
    .description('print the configuration with its defaults, without its secrets; variables stand as they are written')
    .option('--json', 'print it on one line')
    .action(async (options: OutputOptions) => show(options, context));
  command
    .command('schema')
    .description('print a JSON Schema for holdfast.config.json, for editors')
    .action(async () => {
      const { configJsonSchema } = await import('../config/config-json-schema.ts');
      printJson(context, configJsonSchema());
    });
}

async function check(options: OutputOptions, context: CommandContext): Promise<number> {
  const { readConfigFile } = await import('../config/load-config.ts');
  const { readConfig } = await import('../config/parse-config.ts');
  const { file, value, variables, environment } = await readConfigFile('.', context.environment);
  const read = readConfig(value, variables, dirname(file));
  const problems = 'problems' in read ? read.problems : [];
  if (options.json) {
    printJson(context, { file, valid: problems.length === 0, problems });
    return problems.length === 0 ? 0 : 2;
  }
  if ('problems' in read) {
    for (const { path, message } of problems)
      printNote(context, `${file}: ${path === '' ? '' : `${path}: `}${message}`);
    return 2;
  }
  const { config } = read;
  const { configuredStorages } = await import('../config/configured-storages.ts');
  const count = (list: readonly unknown[] | undefined) => (list === undefined ? '' : String(list.length));
  printLines(context, [
    `${paint(context, context.stdout, 'bold', printable(file))}: ${paint(context, context.stdout, 'green', 'valid')}`,
    ...formatFacts(context, [
      ['enabled', config.enabled === false ? 'no' : ''],
      ['environment', printable(config.environment ?? environment)],
      ['databases', count(config.databases)],
      ['commands', count(config.commands)],
      ['files', count(config.files)],
      [
        'media',
        Object.keys(config.media ?? {})
          .map(printable)
          .join(', '),
      ],
      [
        'storages',
        configuredStorages(config)
          .map(({ name }) => printable(name))
          .join(', '),
      ],
    ]),
  ]);
  return 0;
}

async function show(options: OutputOptions, context: CommandContext): Promise<void> {
  const { shown } = await shownConfiguration('.', context.environment);
  if (options.json) printJson(context, shown);
  else printLines(context, [JSON.stringify(shown, undefined, 2)]);
}

/** The configuration of a folder with its defaults, without its secrets; variables stand as they are written. */
export async function shownConfiguration(
  folder: string,
  environment: CommandContext['environment'],
): Promise<{ readonly file: string; readonly shown: object }> {
  const { loadConfig, readConfigFile } = await import('../config/load-config.ts');
  const { defaultFilenameTemplate } = await import('../config/archive-name.ts');
  const { redact } = await import('../config/redact.ts');
  const { config, file } = await loadConfig(folder, environment);
  const { value } = await readConfigFile(folder, environment);
  const format = config.format ?? 'holdfast';
  const defaults = {
    enabled: true,
    environment: config.environment,
    format,
    compression: format === 'plain' ? 'gzip' : 'zstd',
    encryption: 'aes-256-gcm',
    copies: 2,
    filenameTemplate: defaultFilenameTemplate,
    allowedFallPercent: 50,
    notifyOnSuccess: false,
    notifyOnFailure: true,
    storage: { backend: 'local', path: 'backups' },
  };
  return { file, shown: redact({ ...defaults, ...(value as object) }) as object };
}
