import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** One run of a program. */
export interface Measurement {
  readonly durationMs: number;
  /** The most memory that the process, all of its threads together, had resident. 0 where the system does not tell. */
  readonly peakResidentBytes: number;
  /** The processor's time of all of its threads, and of the programs that it ran to their end. 0 where the system does not tell. */
  readonly processorMs: number;
  readonly stdout: string;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly folder?: string;
}

const samplingMs = 10;

/**
 * The high-water mark as the kernel keeps it for a running process: it never falls, so the last look before the end has the peak, but
 * for the final 10 ms. `ru_maxrss` would not do: it also counts what this process had resident when it forked.
 */
function peakResident(processId: number): number | undefined {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${processId}/status`, 'utf8'));
    return match?.[1] === undefined ? undefined : Number(match[1]) * 1_024;
  } catch {
    return undefined; // it ended just now, or this is no Linux
  }
}

/** Ticks of the processor's time a second, as Linux tells it on every machine. */
const ticksPerSecond = 100;

/** What a running process, and its children that have ended, took of the processor so far. */
function processorTimeMs(processId: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${processId}/stat`, 'utf8');
    // The name, which may hold anything, ends with the last parenthesis.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return (ticks * 1_000) / ticksPerSecond;
  } catch {
    return undefined;
  }
}

/** Runs a program to its end. Its failure is an error with what it said. */
export async function measure(command: Command): Promise<Measurement> {
  const startedMs = performance.now();
  const child = spawn(command.program, command.args, {
    cwd: command.folder,
    env: { ...process.env, ...command.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  let peakResidentBytes = 0;
  let processorMs = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-10_000);
  });
  const sampler = setInterval(() => {
    peakResidentBytes = peakResident(child.pid ?? 0) ?? peakResidentBytes;
    processorMs = processorTimeMs(child.pid ?? 0) ?? processorMs;
  }, samplingMs);
  let endedMs = 0;
  child.on('exit', () => {
    endedMs = performance.now();
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject).on('close', resolve);
    });
    if (code !== 0)
      throw new Error(`${command.program} ${command.args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  } finally {
    clearInterval(sampler);
  }
  return { durationMs: endedMs - startedMs, peakResidentBytes, processorMs, stdout };
}

/** Writes out what the system still holds back, so that one run does not pay for the one before it. */
export function syncDisk(): void {
  spawnSync('sync', { stdio: 'ignore' });
}

/** Takes the files of a tree out of the page cache, as after a start of the machine. */
export function dropFromCache(path: string): void {
  const files = spawnSync('find', [path, '-type', 'f'], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  for (const file of files) spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
}

/** Reads a file once, so that it is in the page cache. */
export function readIntoCache(path: string): void {
  spawnSync('cat', [path], { stdio: 'ignore' });
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** First line of what `program args` prints, or undefined where there is no such program. */
export function versionOf(program: string, args: readonly string[]): string | undefined {
  const result = spawnSync(program, args, { encoding: 'utf8' });
  return result.status === 0 ? (result.stdout || result.stderr).trim().split('\n')[0] : undefined;
}
