/** Workers as processes, over a real queue, with a source that waits until it may go on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, watch, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { type History, openHistory } from '../../src/history/history.ts';
import { BullmqQueue } from '../../src/queue/bullmq/bullmq-queue.ts';
import type { WorkerEvent } from '../../src/queue/queue.ts';
import { Secret } from '../../src/secret.ts';

const program = fileURLToPath(new URL('../transcript/holdfast.ts', import.meta.url));

/** A program that says that it has begun, and writes when it is allowed to. */
const waiting = [
  'sh',
  '-c',
  // It ends with the folder of its test, whoever started it.
  'head -c 3000000 /dev/zero; echo > begun; while ! test -e go && test -e holdfast.config.json; do sleep 0.2; done; echo data',
];

/** What is told by a process, one event after the other. */
export interface Told {
  readonly child: ChildProcess;
  readonly events: readonly (WorkerEvent & Readonly<Record<string, unknown>>)[];
  /** Waits until it has told of an event. */
  until(event: string): Promise<void>;
  /** Ends it in good order; gives its exit code. */
  end(): Promise<number | null>;
}

/** Below the limit of a test, which would not say what was told. */
const toldWithinMs = 100_000;

/** A folder with a configuration, its queue and its history. */
export interface WorkerWorld {
  readonly folder: string;
  readonly queue: BullmqQueue;
  readonly history: History;
  start(...words: string[]): Told;
  /** Runs a command to its end. */
  run(...words: string[]): Promise<{ readonly exitCode: number | null; readonly stdout: string }>;
  /** Names of the archives that are there. */
  archives(): Promise<string[]>;
  /** Lets the source write. */
  go(): Promise<void>;
  /** Waits for a backup that is under way, and gives the number of its process. */
  runningProcess(): Promise<number>;
}

/** Where queue and history of a test are. */
export interface WorldPlaces {
  readonly redisUrl: string;
  /** PostgreSQL. */
  readonly historyUrl: string;
  readonly prefix: string;
  /** Whether the retention follows each backup; false unless set. */
  readonly prunes?: boolean;
  /** Of who is told; nobody unless set. */
  readonly webhookUrl?: string;
}

/** Makes it; the test's end removes all of it. */
export async function makeWorkerWorld(
  t: TestContext,
  { redisUrl, historyUrl, prefix, prunes = false, webhookUrl }: WorldPlaces,
): Promise<WorkerWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-worker-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = {
    commands: [{ alias: 'cache', command: waiting }],
    encryption: 'none',
    ...(webhookUrl === undefined ? {} : { notifications: [{ type: 'webhook', url: webhookUrl }] }),
    schedule: { cron: '0 0 1 1 *', timezone: 'UTC', queue: 'backups' },
    storage: { backend: 'local', path: 'backups' },
    retention: { enabled: prunes },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the configuration
    queue: { backend: 'bullmq', url: '${QUEUE_URL}', prefix, stalledAfterMs: 3_000 },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the configuration
    history: { url: '${HISTORY_URL}' },
  };
  await writeFile(join(folder, 'holdfast.config.json'), JSON.stringify(config));
  const queue = await BullmqQueue.open({ url: new Secret(redisUrl), prefix });
  t.after(() => queue.close());
  const history = await openHistory({ url: new Secret(historyUrl) });
  t.after(() => history.close());
  const env = { ...process.env, QUEUE_URL: redisUrl, HISTORY_URL: historyUrl };
  const launch = (words: readonly string[]) =>
    spawn(process.execPath, [program, ...words], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  return {
    folder,
    queue,
    history,
    start: (...words) => listen(t, launch(words)),
    run: async (...words) => {
      const child = launch(words);
      let stdout = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
      });
      const [exitCode] = await once(child, 'close');
      return { exitCode, stdout };
    },
    archives: async () => {
      const names = await readdir(join(folder, 'backups')).catch(() => []);
      return names.filter((name) => name.endsWith('.holdfast'));
    },
    go: () => writeFile(join(folder, 'go'), ''),
    runningProcess: async () => {
      await untilThere(folder, 'begun');
      await rm(join(folder, 'begun'));
      return await runningProcess(historyUrl);
    },
  };
}

/** Waits for a file. */
async function untilThere(folder: string, name: string): Promise<void> {
  const found = new AbortController();
  const changes = watch(folder, { signal: found.signal });
  // Looked for after the watch has begun: it may be there already.
  const first = changes.next();
  first.catch(() => undefined);
  const isThere = async () => (await readdir(folder)).includes(name);
  try {
    if (await isThere()) return;
    await first;
    if (await isThere()) return;
    for await (const _ of changes) if (await isThere()) return;
  } finally {
    found.abort();
  }
}

/** The number of the process of the run that has no end. */
async function runningProcess(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query("SELECT process_id FROM holdfast.run WHERE state = 'running'");
    return rows[0].process_id;
  } finally {
    await client.end();
  }
}

function listen(t: TestContext, child: ChildProcess): Told {
  t.after(() => child.kill('SIGKILL'));
  const events: Told['events'][number][] = [];
  let heard = Promise.withResolvers<void>();
  let isOver = false;
  let isLate = false;
  if (child.stdout === null) throw new Error('a process without output');
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  const wake = () => {
    heard.resolve();
    heard = Promise.withResolvers<void>();
  };
  lines.on('line', (line) => {
    events.push(JSON.parse(line));
    wake();
  });
  lines.on('close', () => {
    isOver = true;
    wake();
  });
  return {
    child,
    events,
    until: async (event) => {
      const limit = setTimeout(() => {
        isLate = true;
        wake();
      }, toldWithinMs).unref();
      while (!events.some((one) => one.event === event)) {
        if (isOver || isLate) {
          throw new Error(`no ${event}: it ${isOver ? 'ended' : 'waits'}, and told of ${JSON.stringify(events)}`);
        }
        await heard.promise;
      }
      clearTimeout(limit);
    },
    end: async () => {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}
