import type { Clock } from '../clock.ts';
import type { BlockStep, Progress } from '../operation/options.ts';
import type { CommandContext } from './command-context.ts';
import { cutToWidth, formatDuration, formatNumberOf, formatSize, printable } from './format-value.ts';

const barWidth = 20;
/** Weight of the newest sample a second: a rate settles in some three seconds. */
const smoothingPerSecond = 0.35;

/** A rate that does not jump: an exponential mean over time. */
export class SmoothedRate {
  #lastMs: number | undefined;
  #lastBytes = 0;
  bytesPerSecond: number | undefined;

  update(nowMs: number, doneBytes: number): void {
    if (this.#lastMs === undefined) {
      this.#lastMs = nowMs;
      this.#lastBytes = doneBytes;
      return;
    }
    const seconds = (nowMs - this.#lastMs) / 1000;
    if (seconds < 0.05) return;
    const sample = Math.max(0, doneBytes - this.#lastBytes) / seconds;
    const weight = 1 - (1 - smoothingPerSecond) ** seconds;
    this.bytesPerSecond =
      this.bytesPerSecond === undefined ? sample : this.bytesPerSecond * (1 - weight) + sample * weight;
    this.#lastMs = nowMs;
    this.#lastBytes = doneBytes;
  }
}

/** The text of one progress line, cut to `width`. Without a total there is no bar, percentage or time left. */
export function formatProgress(progress: Progress, bytesPerSecond: number | undefined, width: number): string {
  const { phase, doneBytes, totalBytes } = progress;
  const parts = [phase.padEnd(7)];
  if (totalBytes > 0) {
    const share = Math.min(1, doneBytes / totalBytes);
    const filled = Math.floor(share * barWidth);
    parts.push('━'.repeat(filled) + '─'.repeat(barWidth - filled), `${Math.floor(share * 100)}%`.padStart(4));
    parts.push(`${formatSize(Math.min(doneBytes, totalBytes))} of ${formatSize(totalBytes)}`);
  } else {
    parts.push(formatSize(doneBytes));
  }
  if (bytesPerSecond !== undefined && bytesPerSecond > 0) {
    parts.push(`${formatSize(bytesPerSecond)}/s`);
    const leftBytes = totalBytes - doneBytes;
    if (leftBytes > 0) parts.push(`${formatDuration((leftBytes / bytesPerSecond) * 1000)} left`);
  }
  if (progress.doneRows !== undefined) parts.push(formatNumberOf(progress.doneRows, 'row'));
  if (progress.entry !== undefined) parts.push(`${printable(progress.entry)}${entryShare(progress)}`);
  return cutToWidth(parts.join('  '), width);
}

/** How far the entry in work is, where that can be told: estimates may be too small. */
function entryShare({ entryDoneBytes = 0, entryExpectedBytes = 0 }: Progress): string {
  if (entryExpectedBytes === 0 || entryDoneBytes > entryExpectedBytes) return '';
  return ` ${Math.floor((entryDoneBytes / entryExpectedBytes) * 100)}%`;
}

/** One line on a terminal that is drawn over itself, and erased at the end. */
export class ProgressLine {
  readonly #context: Pick<CommandContext, 'stderr'>;
  readonly #clock: Clock;
  #phase: string | undefined;
  #rate = new SmoothedRate();
  #drawn = false;

  constructor(context: Pick<CommandContext, 'stderr' | 'clock'>) {
    this.#context = context;
    this.#clock = context.clock;
  }

  /** Draws a step. */
  update(progress: Progress): void {
    if (progress.phase !== this.#phase) {
      this.#phase = progress.phase;
      this.#rate = new SmoothedRate();
    }
    this.#rate.update(this.#clock.monotonicMs(), progress.doneBytes);
    // The last column stays free: some terminals wrap when it is written.
    const width = (this.#context.stderr.columns || 80) - 1;
    this.#context.stderr.write(`\r${formatProgress(progress, this.#rate.bytesPerSecond, width)}\x1b[K`);
    this.#drawn = true;
  }

  /** Erases the line. */
  clear(): void {
    if (this.#drawn) this.#context.stderr.write('\r\x1b[K');
    this.#drawn = false;
  }
}

/** What work is given that runs under a command. */
export interface GivenRun {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Only where a program looks on, or the history keeps what is found. */
  readonly onBlocks?: (blocks: BlockStep) => void;
}

/** Set to `json` by a program that started this one: it gets each step as a line of JSON on stderr, and what is found of blocks. */
export const progressVariable = 'HOLDFAST_PROGRESS';

/** Runs work with a progress line where a person looks on: stderr is a terminal, and the result is not JSON. */
export async function withProgress<T>(
  context: CommandContext,
  json: boolean | undefined,
  work: (run: GivenRun) => Promise<T>,
  onPhase?: (progress: Progress) => void,
): Promise<T> {
  const { signal, reportProgress } = context;
  if (context.environment[progressVariable] === 'json') {
    const onProgress = (progress: Progress) => {
      onPhase?.(progress);
      context.stderr.write(`${JSON.stringify({ progress })}\n`);
    };
    const onBlocks = (blocks: BlockStep) => void context.stderr.write(`${JSON.stringify({ blocks })}\n`);
    return await work({ signal, onProgress, onBlocks });
  }
  if (json || !context.stderr.isTTY || context.environment['TERM'] === 'dumb') {
    if (reportProgress === undefined) return await work({ signal, ...(onPhase && { onProgress: onPhase }) });
    const onProgress = (progress: Progress) => {
      onPhase?.(progress);
      reportProgress(progress);
    };
    return await work({ signal, onProgress });
  }
  const line = new ProgressLine(context);
  try {
    const onProgress = (progress: Progress) => {
      onPhase?.(progress);
      line.update(progress);
    };
    return await work({ signal, onProgress });
  } finally {
    line.clear();
  }
}
