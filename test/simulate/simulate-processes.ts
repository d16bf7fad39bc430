/** Worlds are independent: many of them on all processors. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** What a process is told to play. */
export interface Share {
  readonly seed: number;
  readonly stride: number;
  readonly runs: number;
  readonly dropped: readonly number[];
}

/** What came of some worlds. */
export interface Summary {
  readonly runs: number;
  readonly failures: number;
  readonly tally: readonly (readonly [what: string, count: number])[];
}

/** What a process tells: each failure as it is found, and in the end what it has seen. */
export type Told = { readonly failure: string } | { readonly summary: Summary };

/** Has the worlds of consecutive seeds played by so many processes, each with every so-manyth of them. An abort ends all before their next world. */
export async function simulateInProcesses(
  worlds: Omit<Share, 'stride'>,
  options: { readonly processes: number; readonly signal: AbortSignal; onFailure(text: string): void },
): Promise<Summary> {
  const processes = Math.max(1, Math.min(options.processes, worlds.runs));
  const shares = Array.from({ length: processes }, (_, index): Share => {
    const runs = Math.floor((worlds.runs + processes - 1 - index) / processes);
    return { ...worlds, seed: worlds.seed + index, stride: processes, runs };
  });
  const children = shares.map((share) => ({ share, child: fork(join(import.meta.dirname, 'simulate-child.ts')) }));
  const stop = () => {
    for (const { child } of children) child.kill('SIGTERM');
  };
  options.signal.addEventListener('abort', stop);
  try {
    const summaries = await Promise.all(children.map(({ share, child }) => play(child, share, options.onFailure)));
    const tally = new Map<string, number>();
    for (const [what, count] of summaries.flatMap((one) => one.tally)) tally.set(what, (tally.get(what) ?? 0) + count);
    const sum = (of: (one: Summary) => number) => summaries.reduce((total, one) => total + of(one), 0);
    return { runs: sum((one) => one.runs), failures: sum((one) => one.failures), tally: [...tally] };
  } catch (error) {
    stop();
    throw error;
  } finally {
    options.signal.removeEventListener('abort', stop);
  }
}

async function play(child: ChildProcess, share: Share, onFailure: (text: string) => void): Promise<Summary> {
  let summary: Summary | undefined;
  child.on('message', (told: Told) => {
    if ('failure' in told) onFailure(told.failure);
    else summary = told.summary;
  });
  child.send(share);
  // The last it told may come after its end.
  const [[status, signal]] = await Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
  if (summary === undefined) throw new Error(`a process of the simulation ended: ${signal ?? status}`);
  return summary;
}
