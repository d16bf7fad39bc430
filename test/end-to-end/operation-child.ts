/** A process of its own for the tests of operations: it is killed, starved or kept out, and says what it saw. */
import { readdirSync, writeSync } from 'node:fs';
import { createBackup, FilesSource, HoldfastError, restoreBackup, SqliteSource } from '../../src/index.ts';
import { flyingClock } from './workspace.ts';

export interface ChildOrder {
  readonly operation: 'backup' | 'restore';
  readonly archive: string;
  readonly databases?: readonly string[];
  readonly trees?: readonly string[];
  readonly temporaryFolder?: string;
  readonly to?: readonly string[];
  readonly filesTo?: string;
  /** Says `stopped` at the first progress that has this in `phase entry`, and waits to be killed. */
  readonly stopAt?: string;
  /** A folder whose names are told at the end. */
  readonly list: string;
}

/** How it went: `done` or an error's code; and what the folder then has. */
export interface ChildAnswer {
  readonly result: string;
  readonly names: readonly string[];
}

function say(text: string): void {
  writeSync(1, `${text}\n`);
}

async function run(order: ChildOrder): Promise<void> {
  const { archive, databases = [], trees = [], temporaryFolder, to, filesTo, stopAt } = order;
  const common = {
    threads: 1,
    clock: flyingClock(),
    onProgress: ({ phase, entry = '' }: { readonly phase: string; readonly entry?: string }) => {
      if (stopAt === undefined || !`${phase} ${entry}`.includes(stopAt)) return;
      say('stopped');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
  };
  if (order.operation === 'backup') {
    await createBackup({
      ...common,
      sources: [
        ...databases.map((path) => new SqliteSource({ path })),
        ...trees.map((path) => new FilesSource({ path })),
      ],
      output: archive,
      encryption: 'none',
      ...(temporaryFolder === undefined ? {} : { temporaryFolder }),
    });
  } else {
    const targets = { ...(to === undefined ? {} : { to }), ...(filesTo === undefined ? {} : { filesTo }) };
    await restoreBackup({ ...common, archive, overwrite: true, ...targets });
  }
}

if (import.meta.main) {
  const order: ChildOrder = JSON.parse(process.argv[2] ?? '');
  let result = 'done';
  try {
    await run(order);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    result = error.code;
  }
  const answer: ChildAnswer = { result, names: readdirSync(order.list, { recursive: true, encoding: 'utf8' }).sort() };
  say(JSON.stringify(answer));
}
