import { type Command, type Measurement, measure, syncDisk } from './measure.ts';
import type { Peer } from './programs.ts';
import type { Series } from './row.ts';

/** Where a run works, and on what. */
export interface Bench {
  /** Empty, removed after the run. */
  readonly workFolder: string;
  readonly dataFolder: string;
  readonly dataSizeBytes: number;
  readonly peers: readonly Peer[];
  /** Runs of each program; 5 of short ones. */
  readonly repetitions: number;
  /** Says what is being done. */
  readonly say: (text: string) => void;
}

export const mebibyte = 1_048_576;

/** A program in a race. */
export interface Contestant {
  readonly name: string;
  /** Before each run, not measured. */
  prepare?(): void | Promise<void>;
  readonly command: Command;
}

/** Runs the contestants in turn, `repetitions` times, with the disk synced in between. `durable` counts what is synced after each run. */
export async function race(
  bench: Bench,
  contestants: readonly Contestant[],
  repetitions: number,
  options: { readonly durable?: boolean } = {},
): Promise<Map<string, Measurement[]>> {
  const results = new Map<string, Measurement[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < repetitions; round += 1) {
    for (const contestant of contestants) {
      await contestant.prepare?.();
      syncDisk();
      const measurement = options.durable
        ? await measureDurable(contestant.command)
        : await measure(contestant.command);
      bench.say(
        `${contestant.name}: ${(measurement.durationMs / 1_000).toFixed(2)} s (${round + 1} of ${repetitions})`,
      );
      results.get(contestant.name)?.push(measurement);
    }
  }
  return results;
}

async function measureDurable(command: Command): Promise<Measurement> {
  const measurement = await measure(command);
  const endedMs = performance.now();
  syncDisk();
  return { ...measurement, durationMs: measurement.durationMs + performance.now() - endedMs };
}

/** Values of all programs: the product's own, which ran first, and the others'. */
export function seriesOf(
  results: Map<string, Measurement[]>,
  value: (measurement: Measurement) => number,
): [Series, Series[]] {
  const all = [...results].map(([name, measurements]) => ({ name, values: measurements.map(value) }));
  const [own, ...peers] = all;
  return [own as Series, peers];
}

export const seconds = (measurement: Measurement) => measurement.durationMs / 1_000;
export const residentMebibytes = (measurement: Measurement) => measurement.peakResidentBytes / mebibyte;
