import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { peerContenders } from './curve-peers.ts';
import { type Contender, type CurvePoint, holdfastContenders, kinds, runTrial, trialSeed } from './curves.ts';

/** Beyond an amount that nothing survived, so many trials at each further one say that it stays so. */
const trialsBeyond = 6;
/** Where some do not survive, so many tell how many: what is refused has been tried in every way, and takes a hundred times as long. */
const trialsAtLimit = 60;

export interface CurvesOptions {
  readonly seed: number;
  /** Of Holdfast's own curves, about. */
  readonly trials: number;
  readonly threads: number;
  readonly withPeers: boolean;
  /** Takes each point as it is measured; what stands there is not measured again. */
  readonly stateFile?: string;
  readonly onPoint?: (point: CurvePoint) => void;
}

export interface Curves {
  readonly contenders: readonly Pick<Contender, 'name' | 'label' | 'sizeBytes'>[];
  readonly points: readonly CurvePoint[];
}

/** Measures how often each contender gives back all bytes, by kind and amount of damage. */
export async function measureCurves(options: CurvesOptions): Promise<Curves> {
  const workers = new WorkerPool(options.threads);
  try {
    const own = await holdfastContenders(workers, options.seed);
    const sizeOf = (name: string) => own.find((each) => each.name === name)?.sizeBytes ?? 0;
    const par2Sizes = [
      { label: '1 copy', sizeBytes: sizeOf('copy-1') },
      { label: '2 copies', sizeBytes: sizeOf('copy-2') },
    ];
    // What an archive holds once it is compressed, headers and parity left out.
    const dataBytes = Math.floor(sizeOf('copy-1') / 1.1);
    const peers = options.withPeers ? await peerContenders({ seed: options.seed, dataBytes, par2Sizes }) : [];
    const contenders = [...own, ...peers];
    const cells = own.length * kinds.reduce((sum, { amounts, weight }) => sum + amounts.length * weight, 0);
    const points = new PointFile(options);
    for (const each of contenders) {
      for (const kind of kinds) {
        const trials = Math.ceil((options.trials / cells) * kind.weight);
        await measureCurve(each, kind, { ...options, trials: Math.min(trials, each.trialsAtMost ?? trials), points });
      }
    }
    return {
      contenders: contenders.map(({ name, label, sizeBytes }) => ({ name, label, sizeBytes })),
      points: points.all,
    };
  } finally {
    await workers.close();
  }
}

async function measureCurve(
  contender: Contender,
  kind: (typeof kinds)[number],
  options: CurvesOptions & { readonly points: PointFile },
): Promise<void> {
  const { points, seed, threads } = options;
  let isLost = false;
  for (const [index, amount] of kind.amounts.entries()) {
    const trials: number = isLost ? Math.min(options.trials, trialsBeyond) : options.trials;
    let point = points.find(contender.name, kind.name, amount);
    if (point === undefined) {
      const counts = { recovered: 0, refused: 0, wrong: 0 };
      let next = 0;
      const isEnough = () => next >= trials || (counts.refused > 0 && next >= trialsAtLimit);
      const runSome = async (): Promise<void> => {
        while (!isEnough()) {
          const trial: number = next;
          next += 1;
          counts[await runTrial(contender, kind, amount, trialSeed(seed, kinds.indexOf(kind), index, trial))] += 1;
        }
      };
      await Promise.all(Array.from({ length: threads + 1 }, runSome));
      point = { contender: contender.name, kind: kind.name, amount, trials: next, ...counts };
      points.add(point);
    }
    isLost = point.recovered === 0;
  }
}

/** Points so far, of this run and of one that was stopped. */
class PointFile {
  readonly all: CurvePoint[] = [];
  readonly #options: CurvesOptions;

  constructor(options: CurvesOptions) {
    this.#options = options;
    const { stateFile } = options;
    if (stateFile === undefined || !existsSync(stateFile)) return;
    const lines = readFileSync(stateFile, 'utf8').split('\n').filter(Boolean);
    this.all.push(...lines.map((line) => JSON.parse(line) as CurvePoint));
  }

  find(contender: string, kind: string, amount: number): CurvePoint | undefined {
    return this.all.find((point) => point.contender === contender && point.kind === kind && point.amount === amount);
  }

  add(point: CurvePoint): void {
    this.all.push(point);
    const { stateFile, onPoint } = this.#options;
    if (stateFile !== undefined) appendFileSync(stateFile, `${JSON.stringify(point)}\n`);
    onPoint?.(point);
  }
}
