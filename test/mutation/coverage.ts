import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A run of one test file. */
export interface TestRun {
  readonly isPassed: boolean;
  readonly durationMs: number;
  /** Of all its threads, as far as it was seen. */
  readonly processorTimeMs: number;
}

/** What a run may take before it counts as failed. */
export interface RunLimits {
  readonly durationMs: number;
  /** Tells a loop without end from a busy machine. */
  readonly processorTimeMs: number;
}

const tickMs = 500;
/** Of the processor times that the kernel tells. */
const clockTickMs = 10;

/** Processor time of a process so far; 0 where the system does not tell. */
function processorTimeOf(pid: number | undefined): number {
  try {
    const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
    const [userTicks, systemTicks] = fields.split(' ').slice(11, 13).map(Number);
    return ((userTicks ?? 0) + (systemTicks ?? 0)) * clockTickMs;
  } catch {
    return 0;
  }
}

/**
 * Runs a test file in a process of its own, in a checkout, until something in it fails. One that takes longer than its limits has failed. What was
 * compiled is kept in the checkout for the next run.
 */
export async function runTest(
  checkout: string,
  testFile: string,
  options: { readonly limits: RunLimits; readonly coverageFolder?: string },
): Promise<TestRun> {
  const startMs = performance.now();
  const { coverageFolder, limits } = options;
  // Code out of the cache tells its coverage by whole functions alone.
  const environment =
    coverageFolder === undefined
      ? { NODE_COMPILE_CACHE: join(checkout, 'compiled') }
      : { NODE_V8_COVERAGE: coverageFolder };
  // Not by `node --test`, which would start a second process; a group, so that workers' children end with it.
  const child = spawn(process.execPath, ['--test-reporter=tap', testFile], {
    cwd: checkout,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const kill = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  process.once('exit', kill);
  createInterface(child.stdout).on('line', (line) => {
    if (/^\s*not ok\b/.test(line)) kill();
  });
  // Counted, not measured: a machine that stops everything for a while uses up no time of the test.
  let leftMs = limits.durationMs;
  let processorTimeMs = 0;
  const timer = setInterval(() => {
    leftMs -= tickMs;
    processorTimeMs = processorTimeOf(child.pid);
    if (leftMs <= 0 || processorTimeMs > limits.processorTimeMs) kill();
  }, tickMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  clearInterval(timer);
  process.off('exit', kill);
  return { isPassed: code === 0, durationMs: performance.now() - startMs, processorTimeMs };
}

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

/** What a test ran of each file: ranges as V8 tells them, of every process and thread. Stripping types moves nothing. */
export class Coverage {
  readonly #ranges = new Map<string, Range[][]>();

  /** Runs a test once; gives what it ran, or undefined where it fails as it is. */
  static async of(
    checkout: string,
    testFile: string,
    limits: RunLimits,
  ): Promise<(TestRun & { readonly coverage: Coverage }) | undefined> {
    const coverageFolder = mkdtempSync(join(tmpdir(), 'holdfast-mutation-'));
    try {
      const run = await runTest(checkout, testFile, { limits, coverageFolder });
      if (!run.isPassed) return undefined;
      const coverage = new Coverage();
      for (const name of readdirSync(coverageFolder)) {
        coverage.#add(checkout, JSON.parse(readFileSync(join(coverageFolder, name), 'utf8')));
      }
      return { ...run, coverage };
    } finally {
      rmSync(coverageFolder, { recursive: true, force: true });
    }
  }

  /** Whether the code at an offset ran in some process. */
  covers(file: string, offset: number): boolean {
    return (this.#ranges.get(file) ?? []).some((ranges) => {
      const around = ranges.filter(({ startOffset, endOffset }) => startOffset <= offset && offset < endOffset);
      const inner = around.reduce<Range | undefined>(
        (least, range) => (least !== undefined && sizeOf(least) <= sizeOf(range) ? least : range),
        undefined,
      );
      return (inner?.count ?? 0) > 0;
    });
  }

  #add(
    checkout: string,
    report: {
      readonly result: readonly {
        readonly url: string;
        readonly functions: readonly { readonly ranges: readonly Range[] }[];
      }[];
    },
  ): void {
    const root = pathToFileURL(`${checkout}/src/`).href;
    for (const { url, functions } of report.result) {
      if (!url.startsWith(root)) continue;
      const file = fileURLToPath(url).slice(checkout.length + 1);
      const ranges = functions.flatMap((each) => each.ranges);
      this.#ranges.set(file, [...(this.#ranges.get(file) ?? []), ranges]);
    }
  }
}

function sizeOf({ startOffset, endOffset }: Range): number {
  return endOffset - startOffset;
}
