import { median } from './measure.ts';

/** How a value is shown. */
export type Unit = 's' | 'ms' | 'MiB' | 'MiB/s' | 'GB/s';

/** A program's values of one benchmark, a run each. */
export interface Series {
  readonly name: string;
  readonly values: readonly number[];
}

/** What a benchmark has to reach: a bound on the median itself, or on its ratio to a peer's. */
export interface Target {
  readonly kind: 'at most' | 'at least';
  readonly bound: number;
  /** The series that the ratio is to; the value itself is bounded where there is none. */
  readonly ratioTo?: string;
}

/** A line of the table. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  /** The product's own values. */
  readonly own: Series;
  readonly peers: readonly Series[];
  readonly target?: Target;
  readonly note?: string;
  /** What the least is that a machine needs for it, part by part. */
  readonly limit?: Limit;
}

/** A part of a piece of work, and the least time that it can take. */
export interface Part {
  readonly title: string;
  /** How the time was found. */
  readonly foundBy: string;
  /** Of one processor; on the clock where `isOfDisk`. */
  readonly seconds: number;
  readonly isOfDisk?: boolean;
}

/** The least that a machine needs for a piece of work, by the fastest programs for each part of it. */
export interface Limit {
  readonly parts: readonly Part[];
  /** All parts of the processors on all of them, with nothing ever waiting, or all parts of the disk: what is longer. */
  readonly seconds: number;
}

/** A row with its medians and its verdict. `met` is undefined where the peer was not there to measure. */
export interface JudgedRow extends Row {
  readonly median: number;
  readonly peerMedians: Readonly<Record<string, number>>;
  readonly ratio: number | undefined;
  readonly met: boolean | undefined;
}

/** Takes the medians and compares them with the target. */
export function judge(row: Row): JudgedRow {
  const own = median(row.own.values);
  const peerMedians: Record<string, number> = {};
  for (const peer of row.peers) peerMedians[peer.name] = median(peer.values);
  const { target } = row;
  const reference = target?.ratioTo === undefined ? row.peers[0]?.name : target.ratioTo;
  const peerMedian = reference === undefined ? undefined : peerMedians[reference];
  const ratio = peerMedian === undefined ? undefined : own / peerMedian;
  const judged = target?.ratioTo === undefined ? own : ratio;
  const met =
    target === undefined || judged === undefined
      ? undefined
      : target.kind === 'at most'
        ? judged <= target.bound
        : judged >= target.bound;
  return { ...row, median: own, peerMedians, ratio, met };
}
