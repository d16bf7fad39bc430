/** `npm run bench`: the product beside its peers, in one sitting. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchmarks } from './benchmarks.ts';
import { databaseBenchmarks, databaseNames } from './databases/benchmarks.ts';
import { makeData } from './make-data.ts';
import { versionOf } from './measure.ts';
import { holdfast, peers } from './programs.ts';
import { type BenchGroup, type BenchReport, describeMachine, formatPage, formatTable } from './report.ts';
import { type JudgedRow, judge } from './row.ts';

const usage = `usage: npm run bench -- [databases | models] [--size 1GiB] [--only backup,verify,…] [--repetitions 3] [--json] [--install] [--no-page]
  databases      PostgreSQL, MariaDB and SQLite, each beside its own tools, and models beside the method copy, instead of files
  models         of these the models alone (--size 1GiB: 1,000,000 rows with six relations and 10,000 files; fewer by the size)
  --size         source data, in KiB, MiB or GiB (1GiB unless set)
  --only         some of: ${Object.keys(benchmarks).join(', ')}
  --repetitions  runs of each program in the long benchmarks (3 unless set)
  --json         everything as JSON on stdout
  --install      install missing peers with apt-get first
  --no-page      leave bench/RESULTS.md, RESULTS-databases.md or RESULTS-models.md as it is; so does --only
Data is kept in $HOLDFAST_BENCH_FOLDER (a folder under the system's temporary one unless set).
`;

/** `256MiB` → bytes. */
function parseSize(text: string): number {
  const match = /^(\d+)(KiB|MiB|GiB)$/.exec(text);
  if (match === null) throw new Error(`--size ${text}: give a number with KiB, MiB or GiB`);
  return Number(match[1]) * 1_024 ** (['KiB', 'MiB', 'GiB'].indexOf(match[2] ?? '') + 1);
}

function parseOnly(text: string | undefined, isOfDatabases: boolean): string[] {
  const all = Object.keys(benchmarks).filter((name) => name in databaseBenchmarks === isOfDatabases);
  const names: readonly string[] = text?.split(',') ?? (isOfDatabases ? databaseNames : all);
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: choose from ${all.join(', ')}`);
  return all.filter((name) => names.includes(name));
}

function installPeers(): void {
  const missing = peers.filter((peer) => versionOf(peer.program, peer.versionArgs) === undefined);
  if (missing.length === 0) return;
  for (const args of [
    ['update', '-q'],
    ['install', '-y', '-q', ...missing.map((peer) => peer.debianPackage)],
  ]) {
    const { status } = spawnSync('apt-get', args, { stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed`);
  }
}

function versions(): Record<string, string> {
  const own = holdfast('--version');
  const found: Record<string, string | undefined> = {
    holdfast: versionOf(own.program, own.args),
    node: process.version,
  };
  for (const peer of peers) found[peer.name] = versionOf(peer.program, peer.versionArgs);
  found['openssl'] = versionOf('openssl', ['version']);
  for (const tool of ['pg_dump', 'mariadb-dump', 'sqlite3', 'zstd', 'gpg'])
    found[tool] = versionOf(tool, ['--version']);
  return Object.fromEntries(Object.entries(found).map(([name, version]) => [name, version ?? 'not installed']));
}

async function run(options: {
  sizeBytes: number;
  only: readonly string[];
  repetitions: number;
  group: BenchGroup | undefined;
}): Promise<BenchReport> {
  const say = (text: string) => void process.stderr.write(`${text}\n`);
  const cacheFolder = process.env['HOLDFAST_BENCH_FOLDER'] ?? join(tmpdir(), 'holdfast-bench');
  mkdirSync(cacheFolder, { recursive: true });
  say(`data: ${cacheFolder}`);
  const dataFolder = options.group !== undefined ? cacheFolder : makeData(cacheFolder, options.sizeBytes);
  const workFolder = mkdtempSync(join(cacheFolder, 'run-'));
  const found = versions();
  const rows: JudgedRow[] = [];
  const failures: Record<string, string> = {};
  try {
    for (const name of options.only) {
      say(`${name}`);
      const bench = {
        workFolder,
        dataFolder,
        dataSizeBytes: options.sizeBytes,
        peers: peers.filter((peer) => found[peer.name] !== 'not installed'),
        repetitions: options.repetitions,
        say: (text: string) => say(`  ${text}`),
      };
      try {
        rows.push(...((await benchmarks[name]?.(bench)) ?? []).map(judge));
      } catch (error) {
        // The others are still worth having; the run ends with 1.
        failures[name] = error instanceof Error ? error.message : String(error);
        say(`  failed: ${failures[name]}`);
      }
    }
  } finally {
    rmSync(workFolder, { recursive: true, force: true });
  }
  const date = new Date().toISOString().slice(0, 10);
  const { sizeBytes: dataSizeBytes, group } = options;
  return { date, machine: describeMachine(), dataSizeBytes, ...(group && { group }), versions: found, rows, failures };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '1GiB' },
    only: { type: 'string' },
    repetitions: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    install: { type: 'boolean', default: false },
    'no-page': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
} else {
  if (values.install) installPeers();
  const repetitions = Math.max(1, Math.floor(Number(values.repetitions)) || 3);
  const group = (['models', 'databases'] as const).find((name) => positionals.includes(name));
  const only = parseOnly(values.only ?? (group === 'models' ? group : undefined), group !== undefined);
  const report = await run({ sizeBytes: parseSize(values.size), only, repetitions, group });
  process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : formatTable(report));
  // A page says how everything went in one sitting: a part of it would take the rest away.
  if (!values['no-page'] && values.only === undefined) {
    const page = join(import.meta.dirname, group === undefined ? 'RESULTS.md' : `RESULTS-${group}.md`);
    writeFileSync(`${page}.partial`, formatPage(report));
    renameSync(`${page}.partial`, page);
  }
  if (Object.keys(report.failures).length > 0) process.exitCode = 1;
}
