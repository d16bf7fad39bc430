import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { Corruptor, SeededRandom } from '../../src/testing/index.ts';
import { type Line, lines } from './lines.ts';
import { judgeShards, type SpreadLine, shardsOf, spreadLines } from './spread-lines.ts';
import { judge, makeSubject, type Outcome, type Subject } from './subject.ts';

export interface CampaignOptions {
  readonly seed: number;
  /** Trials of each line and subject. */
  readonly trials: number;
  readonly threads: number;
  /** Runs the lines whose name has this in it. */
  readonly only?: string;
  readonly onLine?: (result: LineResult) => void;
}

export interface LineResult {
  readonly line: string;
  readonly subject: string;
  readonly expect: Line['expect'];
  readonly trials: number;
  readonly recovered: number;
  readonly refused: number;
  /** One message for each trial that is not what the line says: it has what is needed to do it again. */
  readonly failures: readonly string[];
}

async function makeSubjects(workers: WorkerPool, seed: number): Promise<Subject[]> {
  const medium = { name: 'medium', seed: seed + 1, sizeBytes: 12 * 1024 * 1024, copies: 2 };
  return [
    await makeSubject(workers, { name: 'small', seed, sizeBytes: 300 * 1024, copies: 2 }),
    await makeSubject(workers, medium),
    await makeSubject(workers, { name: 'single', seed: seed + 2, sizeBytes: 8 * 1024 * 1024, copies: 1 }),
    await makeSubject(workers, { name: 'spread', seed: seed + 3, sizeBytes: 600 * 1024, copies: 1 }),
  ];
}

function failureOf(outcome: Outcome, expect: Line['expect']): string | undefined {
  if (outcome.kind === 'wrong') return outcome.what;
  if (expect === 'recovered' && outcome.kind === 'refused') return `refused: ${outcome.code}, ${outcome.lost} lost`;
  if (expect === 'refused' && outcome.kind === 'recovered') return 'recovered beyond the limit: the limit is not one';
  return undefined;
}

async function runLine(
  workers: WorkerPool,
  line: Line,
  subject: Subject,
  options: CampaignOptions,
): Promise<LineResult> {
  const failures: string[] = [];
  const trials = Math.min(options.trials, line.trials ?? options.trials);
  let recovered = 0;
  let refused = 0;
  for (let trial = 0; trial < trials; trial++) {
    const seed = options.seed * 1_000_003 + trial;
    const random = new SeededRandom(seed);
    const damages = line.damage(new Corruptor(random), random, subject, trial);
    let bytes = subject.bytes;
    for (const damage of damages) bytes = damage.applyTo(bytes);
    const outcome = await judge(workers, subject, [bytes]);
    if (outcome.kind === 'recovered') recovered++;
    if (outcome.kind === 'refused') refused++;
    const failure = failureOf(outcome, line.expect);
    if (failure !== undefined) {
      failures.push(
        `seed ${options.seed}, trial ${trial}: ${damages.map((damage) => damage.description).join('; ')}: ${failure}`,
      );
    }
  }
  return { line: line.name, subject: subject.name, expect: line.expect, trials, recovered, refused, failures };
}

/** The same for an archive that is laid over storages. */
async function runSpreadLine(
  workers: WorkerPool,
  line: SpreadLine,
  subject: Subject,
  options: CampaignOptions,
): Promise<LineResult> {
  const { name, shape, expect } = line;
  const whole = shardsOf(subject, shape);
  const failures: string[] = [];
  const counts = { recovered: 0, refused: 0, wrong: 0 };
  for (let trial = 0; trial < options.trials; trial++) {
    const random = new SeededRandom(options.seed * 1_000_003 + trial);
    const outcome = await judgeShards(workers, subject, shape, line.damage(whole, random, subject));
    counts[outcome.kind] += 1;
    const failure = failureOf(outcome, expect);
    if (failure !== undefined) failures.push(`seed ${options.seed}, trial ${trial}: ${failure}`);
  }
  const { recovered, refused } = counts;
  return { line: name, subject: subject.name, expect, trials: options.trials, recovered, refused, failures };
}

/** Damages archives in every way that the guarantee names, on both sides of each limit. */
export async function runCampaign(options: CampaignOptions): Promise<LineResult[]> {
  const workers = new WorkerPool(options.threads);
  try {
    const subjects = await makeSubjects(workers, options.seed);
    const results: LineResult[] = [];
    for (const line of lines) {
      if (options.only !== undefined && !line.name.includes(options.only)) continue;
      for (const subject of subjects.filter(({ name }) => line.subjects.includes(name))) {
        const result = await runLine(workers, line, subject, options);
        results.push(result);
        options.onLine?.(result);
      }
    }
    const spread = subjects.find(({ name }) => name === 'spread');
    for (const line of spreadLines) {
      if (spread === undefined || (options.only !== undefined && !line.name.includes(options.only))) continue;
      const result = await runSpreadLine(workers, line, spread, options);
      results.push(result);
      options.onLine?.(result);
    }
    return results;
  } finally {
    await workers.close();
  }
}
