import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { peerContenders } from './curve-peers.ts';
import {
  type Contender,
  type CurvePoint,
  holdfastContenders,
  type Kind,
  kinds,
  runTrial,
  trialSeed,
} from './curves.ts';

/** Trials at each amount after the first rounds: early on all curves are there, and become exact later. */
const firstRounds = [6, 24, 96];
/** Where nothing survived, that is enough, and no larger amount is tried. */
const trialsBeyond = 6;
/** Where some do not survive, so many tell how many: what is refused has been tried in every way, and takes a hundred times as long. */
const trialsAtLimit = 60;

export interface CurvesOptions {
  readonly seed: number;
  /** Of Holdfast's own curves, about. */
  readonly trials: number;
  readonly threads: number;
  readonly withPeers: boolean;
  /** Takes each point as it is measured; a run that is begun again goes on behind it. */
  readonly stateFile?: string;
  readonly onPoint?: (point: CurvePoint) => void;
}

export interface Curves {
  readonly contenders: readonly (Pick<Contender, 'name' | 'label' | 'sizeBytes'> & { readonly isPeer: boolean })[];
  readonly points: readonly CurvePoint[];
}

/** Measures how often each contender gives back all bytes, by kind and amount of damage. */
export async function measureCurves(options: CurvesOptions): Promise<Curves> {
  const pools = Array.from({ length: options.threads }, () => new WorkerPool(1));
  try {
    const own = await holdfastContenders(pools, options.seed);
    const contenders = [...own, ...(options.withPeers ? await peersOf(own, options.seed) : [])];
    const points = new Points(options);
    const cells = own.length * kinds.reduce((sum, { amounts, weight }) => sum + amounts.length * weight, 0);
    for (const round of [...firstRounds, Number.POSITIVE_INFINITY]) {
      for (const contender of contenders) {
        for (const kind of kinds) {
          const trials = Math.ceil((options.trials / cells) * kind.weight);
          const wanted = Math.min(round, trials, contender.trialsAtMost ?? trials);
          await measureCurve({ contender, kind, wanted, points, options });
        }
      }
    }
    return {
      contenders: contenders.map((each) => {
        const { name, label, sizeBytes } = each;
        return { name, label, sizeBytes, isPeer: !own.includes(each) };
      }),
      points: points.all,
    };
  } finally {
    await Promise.all(pools.map((pool) => pool.close()));
  }
}

async function peersOf(own: readonly Contender[], seed: number): Promise<Contender[]> {
  const sizeOf = (name: string) => own.find((each) => each.name === name)?.sizeBytes ?? 0;
  const par2Sizes = [
    { label: '1 copy', sizeBytes: sizeOf('copy-1') },
    { label: '2 copies', sizeBytes: sizeOf('copy-2') },
  ];
  // What an archive holds once it is compressed, headers and parity left out.
  return await peerContenders({ seed, dataBytes: Math.floor(sizeOf('copy-1') / 1.1), par2Sizes });
}

interface Curve {
  readonly contender: Contender;
  readonly kind: Kind;
  /** Trials at each amount, with those that were run before. */
  readonly wanted: number;
  readonly points: Points;
  readonly options: CurvesOptions;
}

/** Runs what is missing of the trials at each amount of a curve. */
async function measureCurve(curve: Curve): Promise<void> {
  const { contender, kind, points, options } = curve;
  for (const [index, amount] of kind.amounts.entries()) {
    const before = points.of(contender.name, kind.name, amount);
    const counts = { recovered: 0, refused: 0, wrong: 0 };
    let next = before.trials;
    const isEnough = (): boolean => {
      const isAtLimit = before.refused + counts.refused > 0;
      const isNone = isAtLimit && before.recovered + counts.recovered === 0;
      return next >= Math.min(curve.wanted, isNone ? trialsBeyond : isAtLimit ? trialsAtLimit : curve.wanted);
    };
    const runSome = async (): Promise<void> => {
      while (!isEnough()) {
        const seed = trialSeed(options.seed, kinds.indexOf(kind), index, next);
        next += 1;
        counts[await runTrial(contender, kind, amount, seed)] += 1;
      }
    };
    await Promise.all(Array.from({ length: options.threads }, runSome));
    const trials = next - before.trials;
    if (trials > 0) points.add({ contender: contender.name, kind: kind.name, amount, trials, ...counts });
    if (before.recovered + counts.recovered === 0) return;
  }
}

/** Points so far, of this run and of one that was stopped. */
class Points {
  readonly #points = new Map<string, CurvePoint>();
  readonly #options: CurvesOptions;

  constructor(options: CurvesOptions) {
    this.#options = options;
    const { stateFile } = options;
    if (stateFile === undefined || !existsSync(stateFile)) return;
    const lines = readFileSync(stateFile, 'utf8').split('\n').filter(Boolean);
    for (const line of lines) this.#sum(JSON.parse(line) as CurvePoint);
    if (lines.length > this.#points.size) this.#shorten(stateFile);
  }

  /** Leaves one line of each point: many runs, and many rounds, do not make the file longer. */
  #shorten(stateFile: string): void {
    writeFileSync(`${stateFile}.partial`, this.all.map((point) => `${JSON.stringify(point)}\n`).join(''));
    renameSync(`${stateFile}.partial`, stateFile);
  }

  get all(): CurvePoint[] {
    return [...this.#points.values()];
  }

  of(contender: string, kind: string, amount: number): CurvePoint {
    const none = { contender, kind, amount, trials: 0, recovered: 0, refused: 0, wrong: 0 };
    return this.#points.get(`${contender} ${kind} ${amount}`) ?? none;
  }

  /** Takes further trials of a point. */
  add(more: CurvePoint): void {
    const { stateFile, onPoint } = this.#options;
    if (stateFile !== undefined) appendFileSync(stateFile, `${JSON.stringify(more)}\n`);
    onPoint?.(this.#sum(more));
  }

  #sum(more: CurvePoint): CurvePoint {
    const { contender, kind, amount } = more;
    const before = this.of(contender, kind, amount);
    const sum: CurvePoint = {
      contender,
      kind,
      amount,
      trials: before.trials + more.trials,
      recovered: before.recovered + more.recovered,
      refused: before.refused + more.refused,
      wrong: before.wrong + more.wrong,
    };
    this.#points.set(`${contender} ${kind} ${amount}`, sum);
    return sum;
  }
}
