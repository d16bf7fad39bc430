/**
 * The web admin over 10,000 archives and 100,000 runs: what requests cost the server, and how long the browser is busy at a stretch.
 * `npm run bench:web`, with `--no-browser` for the server alone.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { openHistory } from '../../src/history/history.ts';
import { createHandler, nodeListener } from '../../src/web/index.ts';
import { measureLongTasks } from './long-tasks.ts';
import { makeHistory } from './make-history.ts';

const size = { archives: 10_000, runs: 100_000 };
const repeats = 15;

interface Cost {
  readonly wallMs: number;
  readonly processorMs: number;
}

async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const before = process.cpuUsage();
  const startMs = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { wallMs: performance.now() - startMs, processorMs: (user + system) / 1000 };
}

function tell(what: string, { wallMs, processorMs }: Cost): void {
  process.stdout.write(
    `${what.padEnd(52)} ${wallMs.toFixed(1).padStart(8)} ms ${processorMs.toFixed(1).padStart(8)} ms\n`,
  );
}

function median(costs: readonly Cost[]): Cost {
  const middle = (of: (cost: Cost) => number) => costs.map(of).sort((a, b) => a - b)[Math.floor(costs.length / 2)] ?? 0;
  return { wallMs: middle(({ wallMs }) => wallMs), processorMs: middle(({ processorMs }) => processorMs) };
}

const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-web-'));
try {
  process.stdout.write(`${size.archives} archives, ${size.runs} runs${' '.repeat(30)}time    processor\n`);
  await makeHistory(folder, size, systemClock.nowMs());
  const user = { name: 'bench', role: 'admin' } as const;
  const handler = createHandler({ folder, authorize: () => user, log: (text) => process.stderr.write(`${text}\n`) });
  const ask = async (path: string) => {
    const response = await handler(new Request(`http://localhost${path}`));
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  };
  await handler.ready();
  tell('the first request', await costOf(() => ask('/')));
  tell('the second, with the archives judged', await costOf(() => ask('/')));
  for (const path of ['/', '/trends.json', '/archives', '/archives?text=crm&sort=size', '/runs', '/api/v1/calendar']) {
    const costs: Cost[] = [];
    for (let count = 0; count < repeats; count++) costs.push(await costOf(() => ask(path)));
    tell(`GET ${path}`, median(costs));
  }
  const history = await openHistory({ path: join(folder, '.holdfast', 'history.db') });
  const costs: Cost[] = [];
  const later: Cost[] = [];
  for (let count = 0; count < repeats; count++) {
    const startedMs = systemClock.nowMs();
    const id = await history.begin({ kind: 'backup', job: 'backup:shop', database: 'shop', startedMs });
    await history.end(id, { state: 'succeeded', endedMs: startedMs + 1000, phases: [], archives: [], sizeBytes: 1 });
    costs.push(await costOf(() => ask('/')));
    // What is made anew behind the answer is done in this time.
    later.push(await costOf(() => new Promise((resolve) => setTimeout(resolve, 1500))));
  }
  await history.close();
  tell('GET / after a run', median(costs));
  tell('and what is made anew behind it, in 1.5 s', median(later));
  if (!process.argv.includes('--no-browser')) {
    const server = createServer(nodeListener(handler)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    for (const line of await measureLongTasks(`http://127.0.0.1:${port}`)) process.stdout.write(`${line}\n`);
    server.closeAllConnections();
    server.close();
  }
  await handler.close();
} finally {
  await rm(folder, { recursive: true });
}
