/** Crashes a command after each of its changes, with what was not synced kept, lost, or anything between, and looks at what is left. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { DiskModel, digestOf, type Image, type Loss, writeImage } from './disk-model.ts';
import type { Scenario } from './scenario.ts';
import { type DiskChange, traceProgram } from './trace.ts';

const losses: readonly Loss[] = [
  { names: 'all', contents: 'all' },
  { names: 'none', contents: 'none' },
  { names: 'all', contents: 'none' },
  { names: 'none', contents: 'all' },
  { names: 'some', contents: 'some' },
  { names: 'any', contents: 'some' },
];

/** What {@link crashEverywhere} takes. */
export interface CrashOptions {
  readonly scenario: Scenario;
  /** Decides what is lost where anything may be, and which states are looked at where not all are. */
  readonly seed: number;
  /** Most states of the disk that are looked at; all unless set. */
  readonly maximumStates?: number;
  /** The built command line, or the one of the sources. */
  readonly commandLine: 'built' | 'source';
  /** How often the random losses are drawn at each change; 2 unless set. */
  readonly draws?: number;
}

/** A state of the disk after which a promise did not hold. */
export interface CrashFailure {
  /** How many changes had been made. */
  readonly after: number;
  readonly loss: Loss;
  readonly draw: number;
  readonly message: string;
  /** The change that was the last one. */
  readonly last: string;
}

/** What {@link crashEverywhere} found. */
export interface CrashResult {
  readonly changes: number;
  readonly syncs: number;
  /** Different states of the disk, and those that were looked at. */
  readonly states: number;
  readonly checked: number;
  readonly failures: readonly CrashFailure[];
}

interface State extends Omit<CrashFailure, 'message'> {
  readonly image: Image;
  readonly isDone: boolean;
}

const sourceEntry = fileURLToPath(new URL('source-entry.ts', import.meta.url));
const builtEntry = fileURLToPath(new URL('../../bin/holdfast.js', import.meta.url));

/** Traces a command once, and goes through the states that a crash could have left. */
export async function crashEverywhere(options: CrashOptions): Promise<CrashResult> {
  const { scenario, seed, commandLine, maximumStates = Number.POSITIVE_INFINITY } = options;
  const parent = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-crash-')));
  const folder = join(parent, 'disk');
  try {
    mkdirSync(folder);
    await scenario.prepare(folder);
    const model = new DiskModel(folder);
    const entry = commandLine === 'built' ? builtEntry : sourceEntry;
    const command = [process.execPath, entry, ...scenario.words];
    const changes = traceProgram({ command, folder, environment: {} });
    const states = statesOf(model, changes, options);
    const chosen = sample(states, maximumStates, seed);
    const failures: CrashFailure[] = [];
    for (const state of chosen) {
      writeImage(state.image, folder);
      const { after, loss, draw, last } = state;
      try {
        await scenario.check(folder, { isDone: state.isDone });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        failures.push({ after, loss, draw, last, message });
      }
    }
    const syncs = changes.filter(({ kind }) => kind === 'sync').length;
    return { changes: changes.length, syncs, states: states.length, checked: chosen.length, failures };
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

/** The states after each change, each once. */
function statesOf(model: DiskModel, changes: readonly DiskChange[], { seed, draws = 2 }: CrashOptions): State[] {
  const states = new Map<string, State>();
  for (let after = 0; after <= changes.length; after++) {
    const change = changes[after - 1];
    if (change !== undefined) model.apply(change, after - 1);
    const isDone = after === changes.length;
    for (const [index, loss] of losses.entries()) {
      const isRandom = loss.names === 'some' || loss.names === 'any';
      for (let draw = 0; draw < (isRandom ? draws : 1); draw++) {
        const random = new SeededRandom((seed * 7919 + after * 31 + index * 7 + draw) % 2 ** 32);
        const image = model.image(loss, random);
        const last = change === undefined ? 'the beginning' : `${change.kind} ${change.path}`;
        states.set(`${digestOf(image)} ${isDone}`, { after, loss, draw, last, image, isDone });
      }
    }
  }
  return [...states.values()];
}

/** So many of them, those of the end among them: there what was told to be done must be. */
function sample(states: readonly State[], most: number, seed: number): readonly State[] {
  if (states.length <= most) return states;
  const random = new SeededRandom(seed);
  const done = states.filter(({ isDone }) => isDone);
  const others = states.filter(({ isDone }) => !isDone).map((state) => ({ state, order: random.float() }));
  others.sort((one, other) => one.order - other.order);
  return [...done, ...others.map(({ state }) => state)].slice(0, most);
}
