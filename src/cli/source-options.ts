import { type Command, Option } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { DatabaseSourceOptions } from '../source/database-options.ts';
import type { ModelSettings } from '../source/model/model-settings.ts';
import type { SourceRequest } from './collect-sources.ts';
import { gather } from './key-options.ts';
import { wholeNumber } from './number-options.ts';
import { splitCommand, splitNamed } from './split-command.ts';
import { withoutUndefined } from './without-undefined.ts';

/** What the command line says about what is backed up. */
export interface SourceOptions {
  readonly url?: readonly string[];
  readonly files?: readonly string[];
  readonly media?: readonly string[];
  readonly command?: readonly string[];
  readonly commandEnv?: readonly string[];
  readonly includeTable?: readonly string[];
  readonly excludeTable?: readonly string[];
  readonly method?: NonNullable<DatabaseSourceOptions['method']>;
  readonly extraOption?: readonly string[];
  readonly roles?: boolean;
  readonly models?: boolean;
  readonly row?: string;
  readonly withOwned?: boolean;
  readonly connections?: number;
  readonly lockTimeout?: number;
}

/** Adds the options that name sources, and the settings of those on the command line. */
export function addSourceOptions(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'a database, such as sqlite:shop.db; its name may stand before it, as name=url (repeatable)',
      gather,
    )
    .option('--files <folder>', 'a folder with all that is in it (repeatable)', gather)
    .option('--media <name>', 'a media storage of holdfast.config.ts (repeatable)', gather)
    .option('--command <command>', "a program whose output is kept, as 'name=redis-cli --rdb -' (repeatable)", gather)
    .option('--command-env <variable>', 'an environment variable that these programs get (repeatable)', gather)
    .option('--include-table <glob>', 'only the tables of the databases that match (repeatable)', gather)
    .option('--exclude-table <glob>', "without the tables that match, such as 'audit.*' (repeatable)", gather)
    .addOption(
      new Option(
        '--method <method>',
        'how databases are read: table by table (copy), or by their own tool (dump)',
      ).choices(['copy', 'dump']),
    )
    .option(
      '--extra-option <option>',
      "an option for the database's own dump tool, as --extra-option=--no-comments (repeatable)",
      gather,
    )
    .option('--roles', 'the roles of the server too')
    .option(
      '--models',
      'read databases as models: rows that any engine takes back; those of --url, or all of the configuration',
    )
    .option('--row <model:key>', 'with --models: this row and all that it needs, as invoice:42')
    .option('--with-owned', 'with --row: the rows that belong to it, too')
    .addOption(connectionsOption())
    .addOption(lockTimeoutOption());
}

/** `--connections`, for reading and for writing. */
export function connectionsOption(): Option {
  return new Option('--connections <n>', 'connections to a server (2 unless given)').argParser(wholeNumber(1, 64));
}

/** `--lock-timeout`, in seconds. */
export function lockTimeoutOption(): Option {
  const text = 'how long a lock or a silent server is waited for (60 unless given)';
  return new Option('--lock-timeout <seconds>', text).argParser(wholeNumber(1, 86_400));
}

/** The sources that the command line names, with their settings. Throws `usage.invalid`. */
export function requestedSources(options: SourceOptions): SourceRequest[] {
  const { includeTable, excludeTable, method, extraOption, roles, connections, lockTimeout, commandEnv } = options;
  const settings = withoutUndefined({
    includeTables: includeTable,
    excludeTables: excludeTable,
    method,
    extraOptions: extraOption,
    roles,
    connections,
    timeoutMs: lockTimeout === undefined ? undefined : lockTimeout * 1000,
  });
  const models = modelsOf(options);
  // Alone, --models is of the databases of the configuration.
  const isOfNothing = models !== undefined && (options.files ?? options.command ?? options.media) !== undefined;
  if (options.url === undefined && (isOfNothing || Object.keys(settings).length > 0)) {
    throw new HoldfastError('usage.invalid', {
      message: 'there are options for databases, and no --url',
      hint: 'give --url too, or set them for each database in the configuration',
    });
  }
  const commands = (options.command ?? []).map((text) => {
    const { name, value } = splitNamed(text, '--command');
    return { name, command: splitCommand(value), ...withoutUndefined({ environment: commandEnv }) };
  });
  return [
    ...(options.url ?? []).map((text) => ({ ...namedUrl(text), ...settings, ...withoutUndefined({ models }) })),
    ...commands,
    ...(options.files ?? []).map((path) => ({ path })),
  ];
}

/** How databases are read as models; undefined where they are not. Throws `usage.invalid`. */
export function modelsOf({ models, row, withOwned }: SourceOptions): ModelSettings | undefined {
  if (models === true) return withoutUndefined({ row, withOwned });
  if (row === undefined && withOwned === undefined) return undefined;
  throw new HoldfastError('usage.invalid', {
    message: '--row and --with-owned choose rows of models',
    hint: 'give --models too',
  });
}

/** `name=url`, or an URL alone. */
function namedUrl(text: string): { url: string; name?: string } {
  const [, name, url] = /^([^=:/]+)=(.+)$/s.exec(text) ?? [];
  return name === undefined || url === undefined ? { url: text } : { url, name };
}
