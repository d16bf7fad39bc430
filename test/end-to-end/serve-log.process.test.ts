import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openHistory } from '../../src/history/history.ts';

const program = fileURLToPath(new URL('../transcript/holdfast.ts', import.meta.url));

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly job?: string;
  readonly runId?: string;
  readonly event?: string;
  readonly port?: number;
  readonly error?: { readonly code: string };
}

async function newFolder(t: TestContext, config: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-log-'));
  t.after(() => rm(folder, { recursive: true }));
  const schedule = { cron: '0 0 1 1 *', timezone: 'UTC' };
  const storage = { backend: 'local', path: 'backups' };
  const all = { encryption: 'none', schedule, storage, ...config };
  await writeFile(join(folder, 'holdfast.config.json'), JSON.stringify(all));
  const history = await openHistory({ path: join(folder, '.holdfast', 'history.db') });
  // The last run was years ago: one is due at once.
  await history.setHandledMs('backup', Date.UTC(2020, 0, 1));
  await history.close();
  return folder;
}

/** Serves until a line of the log is the last one that is wanted; gives them all. */
async function serveUntil(
  t: TestContext,
  { folder, words = [] }: { readonly folder: string; readonly words?: readonly string[] },
  isLast: (line: LogLine, all: readonly LogLine[]) => boolean | Promise<boolean>,
): Promise<LogLine[]> {
  const child = spawn(process.execPath, [program, 'serve', ...words], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, CRM_PASSWORD: 'hunter2' },
  });
  t.after(() => child.kill('SIGKILL'));
  const lines: LogLine[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(JSON.parse(line));
    if (await isLast(JSON.parse(line), lines)) child.kill('SIGTERM');
  }
  if (child.exitCode === null) await once(child, 'exit');
  assert.equal(child.exitCode, 0);
  return lines;
}

test('each line of a run has its id in the history, and no secret', { timeout: 120_000 }, async (t) => {
  const command = ['sh', '-c', 'echo "refused: postgres://crm:hunter2@db.example/crm" >&2; exit 1'];
  const folder = await newFolder(t, {
    commands: [{ alias: 'crm', command }],
    log: { format: 'json', level: 'debug' },
  });
  const lines = await serveUntil(t, { folder }, ({ event }) => event === 'failed');
  const failed = lines.find(({ event }) => event === 'failed');
  assert.deepEqual([failed?.level, failed?.job, failed?.error?.code], ['error', 'backup', 'tool.failed']);
  assert.match(failed?.message ?? '', /refused: postgres:\/\/crm:\[redacted\]@db\.example/);
  assert.doesNotMatch(JSON.stringify(lines), /hunter2/);
  const history = await openHistory({ path: join(folder, '.holdfast', 'history.db') });
  t.after(() => history.close());
  const [run] = await history.runs();
  assert.equal(run?.state, 'failed');
  const ofJob = lines.filter(({ job }) => job !== undefined);
  assert.ok(ofJob.length >= 4);
  assert.deepEqual([...new Set(ofJob.map(({ runId }) => runId))], [run?.id]);
  assert.equal(lines.at(-1)?.message, 'stopped');
});

test('what the commands of a job write to their stderr is in the log', { timeout: 120_000 }, async (t) => {
  const far = { backend: 'local', path: 'holdfast.config.json/no-folder' };
  const folder = await newFolder(t, {
    commands: [{ alias: 'crm', command: ['echo', 'data'] }],
    storage: { near: { backend: 'local', path: 'backups' }, far },
  });
  const lines = await serveUntil(t, { folder, words: ['--log-format', 'json'] }, ({ event }) => event === 'ended');
  const warnings = lines.filter(({ level }) => level === 'warn');
  assert.ok(
    warnings.some(({ message }) => /^far: /.test(message)),
    JSON.stringify(lines),
  );
  assert.ok(warnings.some(({ message }) => /something was left out/.test(message)));
  assert.ok(warnings.every(({ job, runId }) => job === 'backup' && /^[0-9a-f]{24}$/.test(runId ?? '')));
});

test('metrics are those of the history, and the server ends with the rest', { timeout: 120_000 }, async (t) => {
  const folder = await newFolder(t, { commands: [{ alias: 'crm', command: ['echo', 'data'] }] });
  let scraped = '';
  let url = '';
  const words = ['--log-format', 'json', '--metrics', '127.0.0.1:0'];
  await serveUntil(t, { folder, words }, async ({ event, port }) => {
    if (port !== undefined) url = `http://127.0.0.1:${port}`;
    if (event === 'ended') scraped = await (await fetch(`${url}/metrics`)).text();
    return event === 'ended';
  });
  assert.match(scraped, /^holdfast_next_run_timestamp_seconds\{job_name="backup"\} \d+$/m);
  await assert.rejects(fetch(`${url}/healthz`));

  const run = async (...more: string[]) => {
    const child = spawn(process.execPath, [program, 'metrics', ...more], { cwd: folder });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    assert.equal(stderr, '');
    return stdout;
  };
  const printed = await run();
  assert.match(printed, /^holdfast_last_success_timestamp_seconds\{database="crm",storage="local"\} \d+/m);
  assert.match(printed, /^holdfast_runs_total\{kind="backup",database="crm",state="succeeded"\} 1$/m);
  assert.equal(await run('--output', 'holdfast.prom'), '');
  assert.equal(await readFile(join(folder, 'holdfast.prom'), 'utf8'), printed);
  assert.equal((await stat(join(folder, 'holdfast.prom'))).mode & 0o044, 0o044);
});
