/**
 * `npm run mutate -- --path src/policy [--tests src/policy,…] [--seed N] [--sample K] [--workers N] [--state FILE [--again]] [--in-thread]`: changes the code in one
 * small way after the other, and tells which changes no test notices. `--path` and `--tests` are folders and files. A run that was stopped goes on
 * where `--state` ends; with `--again` those in it that survived are tried once more, by other tests perhaps, and no others. Survivors that are
 * explained stand in `survivors.json`. With `--in-thread` tests that pass so run in one thread, many times faster: for code that starts no threads or
 * processes of its own, and one worker.
 */
import {
  appendFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { API } from 'typescript/unstable/sync';
import { SeededRandom } from '../../src/testing/index.ts';
import { Coverage, type RunLimits, runTest } from './coverage.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { TestThread } from './test-thread.ts';

/** A test that takes longer is left to others. */
const longestTest: RunLimits = { durationMs: 300_000, processorTimeMs: 300_000 };
/** A mutant may loop for ever, or wait: it has this much time, and so many times what the test took. */
const leastLimits: RunLimits = { durationMs: 8000, processorTimeMs: 2000 };
const slowFactor = 4;

/** What tests read of a checkout. */
const copiedParts = [
  'src',
  'test',
  'bench',
  'vectors',
  'recover',
  'docs',
  'packaging',
  'package.json',
  'tsconfig.json',
];

interface CoveringTest {
  readonly file: string;
  readonly durationMs: number;
  readonly processorTimeMs: number;
  readonly coverage: Coverage;
  /** Where it runs, if not in processes of its own. */
  readonly thread: TestThread | undefined;
}

interface Verdict {
  readonly mutant: Mutant;
  readonly outcome: 'killed' | 'survived' | 'not covered';
  readonly by?: string;
}

interface Explained {
  readonly file: string;
  readonly line: string;
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

const root = join(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: {
    path: { type: 'string', default: 'src/policy' },
    tests: { type: 'string' },
    seed: { type: 'string', default: '1' },
    sample: { type: 'string' },
    workers: { type: 'string', default: '2' },
    state: { type: 'string' },
    again: { type: 'boolean', default: false },
    'in-thread': { type: 'boolean', default: false },
  },
});

/** A checkout of its own, in which files may be changed. */
function makeCheckout(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mutate-'));
  for (const part of copiedParts) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** The mutants of all files, or a sample of them that the seed chooses. */
function chooseMutants(files: readonly string[]): Mutant[] {
  const api = new API({ cwd: root });
  try {
    const snapshot = api.updateSnapshot({ openProject: join(root, 'tsconfig.json') });
    const [project] = snapshot.getProjects();
    const all = files.flatMap((file) => {
      const source = project?.program.getSourceFile(join(root, file));
      return source === undefined ? [] : mutantsOf(file, source);
    });
    if (values.sample === undefined) return all;
    const random = new SeededRandom(Number(values.seed));
    const chosen: Mutant[] = [];
    const left = [...all];
    while (chosen.length < Number(values.sample) && left.length > 0) {
      chosen.push(...left.splice(random.integer(left.length), 1));
    }
    return chosen;
  } finally {
    api.close();
  }
}

async function judge(checkout: string, mutant: Mutant, tests: readonly CoveringTest[]): Promise<Verdict> {
  // Those of the file's own name first: most mutants end there.
  const stem = mutant.file.replace(/\.ts$/, '');
  const ofOthers = ({ file }: CoveringTest) => Number(!file.startsWith(stem));
  const covering = tests
    .filter(({ coverage }) => coverage.covers(mutant.file, mutant.start))
    .sort((one, other) => ofOthers(one) - ofOthers(other));
  if (covering.length === 0) return { mutant, outcome: 'not covered' };
  const path = join(checkout, mutant.file);
  const original = readFileSync(path, 'utf8');
  const text = original.slice(0, mutant.start) + mutant.replacement + original.slice(mutant.end);
  writeFileSync(path, text);
  try {
    for (const { file, thread, ...test } of covering) {
      const limits = {
        durationMs: leastLimits.durationMs + slowFactor * test.durationMs,
        processorTimeMs: leastLimits.processorTimeMs + slowFactor * test.processorTimeMs,
      };
      const isPassed =
        thread === undefined
          ? (await runTest(checkout, file, { limits })).isPassed
          : await thread.passes({ testFile: join(checkout, file), file: path, text }, limits);
      if (!isPassed) return { mutant, outcome: 'killed', by: file };
    }
    return { mutant, outcome: 'survived' };
  } finally {
    writeFileSync(path, original);
  }
}

/** Whether a test passes in a thread with nothing changed, and once more where the thread has run it before. */
async function passesInThread(thread: TestThread, checkout: string, testFile: string): Promise<boolean> {
  const path = join(checkout, testFile);
  const task = { testFile: path, file: path, text: readFileSync(path, 'utf8') };
  return (await thread.passes(task, longestTest)) && (await thread.passes(task, longestTest));
}

function lineOf({ file, line }: Mutant): string {
  return readFileSync(join(root, file), 'utf8').split('\n')[line - 1]?.trim() ?? '';
}

function isExplained(mutant: Mutant, explained: readonly Explained[]): boolean {
  const { file, original, replacement } = mutant;
  const line = lineOf(mutant);
  return explained.some((each) => {
    return each.file === file && each.line === line && each.original === original && each.replacement === replacement;
  });
}

function report(verdicts: readonly Verdict[]): void {
  const explained: Explained[] = JSON.parse(readFileSync(join(import.meta.dirname, 'survivors.json'), 'utf8'));
  const alive = verdicts.filter(({ outcome }) => outcome !== 'killed');
  const open = alive.filter(({ mutant }) => !isExplained(mutant, explained));
  for (const { mutant, outcome } of open) {
    const { file, line, original, replacement } = mutant;
    console.log(`${outcome}: ${file}:${line}: ${original} -> ${replacement}   | ${lineOf(mutant)}`);
  }
  const killed = verdicts.length - alive.length;
  const score = ((killed / verdicts.length) * 100).toFixed(1);
  console.log(
    `${verdicts.length} mutants of ${values.path}: ${killed} killed (${score} %), ${alive.length - open.length} explained, ${open.length} left`,
  );
  process.exitCode = open.length > 0 ? 1 : 0;
}

/** Of a list, each file itself, and those with an ending of each folder. */
function filesOf(paths: string, ending: string): string[] {
  return paths
    .split(',')
    .flatMap((path) => (path.endsWith('.ts') ? [path] : globSync(`${path}/**/*${ending}`, { cwd: root })));
}

const keyOf = ({ file, start, replacement }: Mutant) => `${file} ${start} ${replacement}`;

async function main(): Promise<void> {
  const files = filesOf(values.path, '.ts')
    .filter((file) => !file.endsWith('.test.ts'))
    .sort();
  const mutants = chooseMutants(files);
  const testFiles = filesOf(values.tests ?? values.path, '.test.ts');
  const checkouts = Array.from({ length: Number(values.workers) }, makeCheckout);
  process.once('exit', () => {
    for (const checkout of checkouts) rmSync(checkout, { recursive: true, force: true });
  });
  // A mutant that runs without end would outlive its judge.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  const verdicts: Verdict[] = [];
  const known = new Map<string, Verdict>();
  if (values.state !== undefined && existsSync(values.state)) {
    for (const line of readFileSync(values.state, 'utf8').split('\n').filter(Boolean)) {
      const verdict = JSON.parse(line) as Verdict;
      known.set(keyOf(verdict.mutant), verdict);
    }
  }
  /** Does the work on all inputs, each checkout with one at a time. */
  const onAll = async <Input>(inputs: readonly Input[], work: (checkout: string, input: Input) => Promise<void>) => {
    const left = [...inputs];
    const runSome = async (checkout: string): Promise<void> => {
      for (let input = left.shift(); input !== undefined; input = left.shift()) await work(checkout, input);
    };
    await Promise.all(checkouts.map(runSome));
  };
  const thread = values['in-thread'] ? new TestThread() : undefined;
  try {
    const tests: CoveringTest[] = [];
    await onAll(testFiles, async (checkout, file) => {
      const run = await Coverage.of(checkout, file, longestTest);
      if (run === undefined) console.log(`left out, it fails or takes too long: ${file}`);
      else {
        const isThreaded = thread !== undefined && (await passesInThread(thread, checkout, file));
        tests.push({ file, ...run, thread: isThreaded ? thread : undefined });
      }
    });
    tests.sort((one, other) => one.durationMs - other.durationMs);
    console.log(`${mutants.length} mutants of ${files.length} files, ${tests.length} tests`);
    const judged = values.again ? mutants.filter((mutant) => known.has(keyOf(mutant))) : mutants;
    await onAll(judged, async (checkout, mutant) => {
      let verdict = known.get(keyOf(mutant));
      if (verdict === undefined || (values.again && verdict.outcome !== 'killed')) {
        verdict = await judge(checkout, mutant, tests);
        if (values.state !== undefined) appendFileSync(values.state, `${JSON.stringify(verdict)}\n`);
      }
      verdicts.push(verdict);
    });
    report(verdicts);
  } finally {
    await thread?.close();
  }
}

await main();
