import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { MysqlAddress } from './mysql-address.ts';
import { isOlderSeries, type ServerVersion } from './server-catalog.ts';

/** The program that dumps, as it was found. */
export interface DumpTool {
  readonly program: 'mariadb-dump' | 'mysqldump';
  readonly engine: 'mysql' | 'mariadb';
  readonly version: string;
}

const run = promisify(execFile);
const versionLimitMs = 10_000;
const packages = { mariadb: 'mariadb-client', mysql: 'mysql-client' } as const;

/**
 * Finds a dump tool that fits the server. A tool of MySQL does not read a MariaDB server; MariaDB's reads both.
 * Throws `tool.not_found`, `tool.too_old`; both name the package to install.
 */
export async function findDumpTool(server: ServerVersion, signal: AbortSignal | undefined): Promise<DumpTool> {
  const programs = server.engine === 'mariadb' ? ['mariadb-dump', 'mysqldump'] : ['mysqldump', 'mariadb-dump'];
  const found: DumpTool[] = [];
  for (const program of programs as DumpTool['program'][]) {
    const tool = await toolVersion(program, signal);
    if (tool !== undefined) found.push(tool);
  }
  const fitting = found.filter(({ engine }) => engine === server.engine || engine === 'mariadb');
  const tool = fitting.find((candidate) => isNewEnough(candidate, server)) ?? fitting[0];
  const name = server.engine === 'mariadb' ? 'MariaDB' : 'MySQL';
  const hint = `install the Debian package ${packages[server.engine]} (apt-get install ${packages[server.engine]})`;
  if (tool === undefined) {
    const message = `no dump tool for ${name} is installed (${programs[0]})`;
    throw new HoldfastError('tool.not_found', { message, hint, context: { program: programs[0] } });
  }
  if (isNewEnough(tool, server)) return tool;
  throw new HoldfastError('tool.too_old', {
    message: `${tool.program} ${tool.version} is older than the server, ${name} ${server.version}`,
    hint: `${hint}, of ${name} ${server.version.split('.', 2).join('.')} or newer`,
    context: { program: tool.program, version: tool.version, serverVersion: server.version },
  });
}

/** The two count their versions apart: across them, what is older cannot be told. */
function isNewEnough(tool: DumpTool, server: ServerVersion): boolean {
  return tool.engine !== server.engine || !isOlderSeries(tool.version, server.version);
}

async function toolVersion(
  program: DumpTool['program'],
  signal: AbortSignal | undefined,
): Promise<DumpTool | undefined> {
  let output: string;
  try {
    const limits = { timeout: versionLimitMs, ...(signal === undefined ? {} : { signal }) };
    output = (await run(program, ['--no-defaults', '--version'], limits)).stdout;
  } catch {
    throwIfAborted(signal);
    return undefined;
  }
  return parseToolVersion(program, output);
}

/** What `--version` says: `… Distrib 10.11.6-MariaDB, …`, `… from 11.4.2-MariaDB, …`, `… Ver 8.0.39 for …`. */
export function parseToolVersion(program: DumpTool['program'], output: string): DumpTool | undefined {
  const version = (/(?:Distrib|from) (\d+\.\d+\.\d+)/.exec(output) ?? /Ver (\d+\.\d+\.\d+)/.exec(output))?.[1];
  if (version === undefined) return undefined;
  return { program, version, engine: /mariadb/i.test(output.replace(program, '')) ? 'mariadb' : 'mysql' };
}

/** A value in a file of options: in quotes, so that `#` and spaces stay. */
function optionValue(value: string): string {
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return `"${escaped}"`;
}

/**
 * Writes how the tool connects to a file that only this user can read: arguments are seen by everyone. The tool is given this file instead of
 * the user's own ones, whose options could change the form of the dump.
 */
export async function writeToolOptions(
  path: string,
  options: { readonly address: MysqlAddress; readonly tool: DumpTool; readonly isEncrypted: boolean },
): Promise<void> {
  const { address, tool, isEncrypted } = options;
  const { socketPath, host, port, user, password } = address;
  const place = socketPath === undefined ? { host, port: String(port), protocol: 'TCP' } : { socket: socketPath };
  const values = { user, ...place, ...(password === undefined ? {} : { password: password.reveal() }) };
  const lines = Object.entries(values).map(([name, value]) => `${name}=${optionValue(value)}`);
  const text = ['[client]', ...lines, ...sslLines(address, tool, isEncrypted), ''].join('\n');
  await writeFile(path, text, { mode: 0o600, flag: 'wx' });
}

function sslLines(address: MysqlAddress, tool: DumpTool, isEncrypted: boolean): string[] {
  const { sslMode, sslCaPath, sslCertPath, sslKeyPath, socketPath } = address;
  if (socketPath !== undefined) return [];
  const files = { 'ssl-ca': sslCaPath, 'ssl-cert': sslCertPath, 'ssl-key': sslKeyPath };
  const lines = Object.entries(files).flatMap(([name, path]) =>
    path === undefined ? [] : [`${name}=${optionValue(path)}`],
  );
  if (tool.engine === 'mysql') return [...lines, `ssl-mode=${sslMode}`];
  if (!isEncrypted) return ['skip-ssl'];
  // MariaDB's tools check the name as soon as they check the authority.
  const check = sslMode.startsWith('VERIFY') ? 'ssl-verify-server-cert' : 'skip-ssl-verify-server-cert';
  return ['ssl', ...lines, check];
}

/** Options that would send the dump elsewhere, change its form or leave out its rows. */
const refused =
  /^(-[^-]*[prTXABdt]|--(password|result-file|tab|xml|all-databases|databases|no-data|no-create-info|compact|compatible|default-character-set|defaults-|no-defaults|host|port|socket|user|ignore-database|skip-comments|comments=|skip-quote-names|quote-names=|skip-opt$|replace|log-error|where-history))/;

/** Throws `usage.invalid`. */
export function checkExtraOptions(extraOptions: readonly string[]): void {
  for (const option of extraOptions) {
    const name = option.split('=', 1)[0] ?? '';
    if (!option.startsWith('-') || option === '--') {
      throw new HoldfastError('usage.invalid', {
        message: 'an extra option of the dump tool begins with --',
        hint: 'write its value behind an equals sign: --where=…',
      });
    }
    if (refused.test(option)) {
      throw new HoldfastError('usage.invalid', { message: `the option ${name} of the dump tool is set by Holdfast` });
    }
  }
}

/** Whether tool and server can take rows of the past out of a table and put them back. */
export function canDumpHistory(tool: DumpTool, server: ServerVersion): boolean {
  const isAble = ({ engine, version }: ServerVersion) => engine === 'mariadb' && !isOlderSeries(version, '10.11');
  return isAble(tool) && isAble(server);
}

/** What every dump is asked for: one transaction, rows as they come, every byte of every type. */
function commonArguments(tool: DumpTool, optionsPath: string): string[] {
  const own = tool.engine === 'mysql' ? ['--set-gtid-purged=OFF', '--column-statistics=0'] : [];
  return [
    `--defaults-file=${optionsPath}`,
    '--single-transaction',
    '--quick',
    '--skip-lock-tables',
    '--hex-blob',
    '--default-character-set=utf8mb4',
    '--tz-utc',
    '--comments',
    '--no-tablespaces',
    '--skip-dump-date',
    '--max-allowed-packet=1G',
    ...own,
  ];
}

/** What is to be dumped. */
export interface DumpRequest {
  readonly tool: DumpTool;
  readonly optionsPath: string;
  readonly extraOptions: readonly string[];
  readonly database: string;
  readonly tables: readonly string[];
  /** Rows of the past too, of tables that keep them. */
  readonly withHistory: boolean;
}

function argumentsOf(request: DumpRequest, form: readonly string[]): string[] {
  const { tool, optionsPath, extraOptions, database, tables, withHistory } = request;
  const history = withHistory ? ['--dump-history'] : [];
  return [...commonArguments(tool, optionsPath), ...form, ...history, ...extraOptions, '--', database, ...tables];
}

/** The arguments for definitions and rows of these tables, and nothing else. */
export function tableArguments(request: DumpRequest): string[] {
  const form = ['--skip-triggers', '--skip-routines', '--skip-events', '--skip-add-drop-table', '--skip-add-locks'];
  return argumentsOf(request, form);
}

/** The arguments for all that a database holds, as the tool itself writes it; with names of tables, only these and the routines and events. */
export function wholeArguments(request: DumpRequest): string[] {
  // Locks in a dump keep tables that take defaults from a sequence from being filled.
  return argumentsOf(request, ['--triggers', '--routines', '--events', '--skip-add-locks']);
}
