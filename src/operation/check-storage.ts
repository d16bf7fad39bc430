import assert from 'node:assert/strict';
import { type Clock, systemClock, systemWait, type Wait } from '../clock.ts';
import { type ErrorCode, HoldfastError, throwIfAborted } from '../errors.ts';
import { type Random, systemRandom } from '../random.ts';
import type { Storage } from '../storage/storage.ts';
import { ForwardingStorage } from '../storage/wrap/forwarding-storage.ts';
import { prefixStorage } from '../storage/wrap/prefix.ts';
import { errorReport } from './error-report.ts';
import type { OutputReport } from './options.ts';

/** What {@link checkStorage} takes. */
export interface CheckStorageOptions {
  readonly storage: Storage;
  /** Also writes and lists more than a thousand objects; false unless set. */
  readonly manyObjects?: boolean;
  /** How long one step may take: 120,000 unless set. */
  readonly stepTimeoutMs?: number;
  readonly onStep?: (step: StorageCheckStep) => void;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly wait?: Wait;
}

/** One thing that was tried. */
export interface StorageCheckStep {
  readonly name: string;
  /** `rights` are tried first; the `contract` is what Holdfast relies on. */
  readonly part: 'rights' | 'contract';
  /** `unsupported`: this storage cannot, and Holdfast does without; `skipped`: it was not tried. */
  readonly state: 'passed' | 'failed' | 'unsupported' | 'skipped';
  readonly durationMs: number;
  /** What is missing, as far as the storage tells. */
  readonly error?: NonNullable<OutputReport['error']>;
}

/** What {@link checkStorage} found. */
export interface StorageCheckReport {
  readonly backend: string;
  readonly place: string;
  readonly warnings: readonly string[];
  readonly passed: boolean;
  readonly steps: readonly StorageCheckStep[];
  /** Objects of the check that could not be removed. */
  readonly leftovers: readonly string[];
}

/** A part of the user's storage, which stays open when a case closes it. */
class Lent extends ForwardingStorage {
  override async close(): Promise<void> {}
}

const probe = new TextEncoder().encode('Holdfast checks this storage, and removes this object again.');

type Probe = readonly [string, (storage: Storage) => Promise<void>];

async function putProbe(storage: Storage): Promise<void> {
  const writer = await storage.writer('probe', { copies: 1 });
  try {
    await writer.write(probe);
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

async function readProbe(storage: Storage, offset: number, length: number): Promise<void> {
  const access = await storage.open('probe');
  try {
    const into = new Uint8Array(length);
    const expected = probe.subarray(offset, offset + length);
    const isSame = (await access.read(offset, into)) === length && Buffer.compare(into, expected) === 0;
    if (!isSame) throw new HoldfastError('storage.failed', { message: 'it gives other bytes than were written' });
  } finally {
    await access.close();
  }
}

async function listAll(storage: Storage): Promise<void> {
  for await (const { name } of storage.list()) assert.ok(name.length > 0);
}

async function listProbe(storage: Storage): Promise<void> {
  for await (const { name } of storage.list()) if (name === 'probe') return;
  throw new HoldfastError('storage.failed', { message: 'what was written is not listed' });
}

/** What a user has to be allowed, one step each. */
const probes: readonly Probe[] = [
  ['list', listAll],
  ['write an object', putProbe],
  ['look at it', async (storage) => void (await storage.stat('probe'))],
  ['read it', (storage) => readProbe(storage, 0, probe.length)],
  ['read a range of it', (storage) => readProbe(storage, 9, 6)],
  ['list it', listProbe],
  ['replace it', putProbe],
  ['delete it', (storage) => storage.delete('probe')],
];

/** Errors of the whole storage, not of one right. */
const outOfReach: ReadonlySet<ErrorCode> = new Set([
  'storage.unavailable',
  'storage.timeout',
  'storage.credentials',
  'storage.signature',
  'storage.clock_skew',
  'storage.wrong_region',
  'storage.container_not_found',
  'storage.certificate',
]);

class Check {
  readonly #options: CheckStorageOptions;
  readonly #clock: Clock;
  readonly #prefix: string;
  readonly steps: StorageCheckStep[] = [];

  constructor(options: CheckStorageOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#prefix = `holdfast-check-${Buffer.from((options.random ?? systemRandom).bytes(6)).toString('hex')}`;
  }

  async run(): Promise<string[]> {
    try {
      const storage = this.#part('rights');
      for (const [name, work] of probes) {
        if (this.#isHopeless()) this.#add({ part: 'rights', name, state: 'skipped', durationMs: 0 });
        else await this.#step('rights', name, () => work(storage));
      }
      // Without one of the rights nearly every case would fail alike, after its own wait.
      if (this.steps.every(({ state }) => state === 'passed')) await this.#runCases();
    } finally {
      if (!this.#isOutOfReach()) await this.#limited(() => this.#clear(this.#prefix)).catch(() => undefined);
      await this.#removeFolders();
    }
    return this.#isOutOfReach() ? [] : await this.#leftovers();
  }

  /** Whether a step has shown that no other one can pass. */
  #isHopeless(): boolean {
    return this.steps.some(({ error }) => error !== undefined && outOfReach.has(error.code));
  }

  /** Then nothing was written either. */
  #isOutOfReach(): boolean {
    return this.#isHopeless() && this.steps.every(({ state }) => state !== 'passed');
  }

  async #runCases(): Promise<void> {
    const { storageCases } = await import('../testing/storage-cases.ts');
    for (const [index, each] of storageCases.entries()) {
      if (each.needs?.includes('many objects') && this.#options.manyObjects !== true) {
        this.#add({ part: 'contract', name: each.name, state: 'skipped', durationMs: 0 });
        continue;
      }
      const part = String(index);
      const isOptional = each.needs?.includes('check before publish') === true;
      await this.#step('contract', each.name, () => each.run(async () => this.#part(part)), isOptional);
      await this.#limited(() => this.#clear(`${this.#prefix}/${part}`)).catch(() => undefined);
    }
  }

  #part(name: string): Storage {
    return new Lent(prefixStorage(this.#options.storage, `${this.#prefix}/${name}`));
  }

  async #step(
    part: StorageCheckStep['part'],
    name: string,
    work: () => Promise<void>,
    isOptional = false,
  ): Promise<void> {
    throwIfAborted(this.#options.signal);
    const startMs = this.#clock.monotonicMs();
    const durationMs = () => Math.round(this.#clock.monotonicMs() - startMs);
    try {
      await this.#limited(work);
      this.#add({ part, name, state: 'passed', durationMs: durationMs() });
    } catch (error) {
      throwIfAborted(this.#options.signal);
      const reason = underlying(error);
      // Where an object appears before its check, a failing check takes it away again, and the older one with it.
      const isGone = reason instanceof HoldfastError && reason.code === 'storage.not_found';
      const isUnsupported = isOptional && (isGone || reason instanceof assert.AssertionError);
      const state = isUnsupported ? 'unsupported' : 'failed';
      this.#add({ part, name, state, durationMs: durationMs(), error: describe(reason) });
    }
  }

  #add(step: StorageCheckStep): void {
    this.steps.push(step);
    this.#options.onStep?.(step);
  }

  async #limited(work: () => Promise<void>): Promise<void> {
    const { wait = systemWait, stepTimeoutMs = 120_000, signal } = this.#options;
    const ended = new AbortController();
    const both = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
    const limit = async () => {
      await wait(stepTimeoutMs, both);
      throw new HoldfastError('storage.timeout', { message: `no answer within ${Math.round(stepTimeoutMs / 1000)} s` });
    };
    try {
      await Promise.race([work(), limit()]);
    } finally {
      ended.abort();
    }
  }

  async #clear(prefix: string): Promise<void> {
    const { storage } = this.#options;
    const names = await this.#names(prefix);
    for (const name of names) await storage.delete(name);
  }

  async #names(prefix: string): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.#options.storage.list(`${prefix}/`)) names.push(name);
    return names;
  }

  async #leftovers(): Promise<string[]> {
    try {
      return await this.#names(this.#prefix);
    } catch {
      // That listing fails stands in the steps.
      return this.steps.some(({ name, state }) => name === 'write an object' && state === 'passed')
        ? [this.#prefix]
        : [];
    }
  }

  /** Objects in a folder leave folders behind. */
  async #removeFolders(): Promise<void> {
    const { storage } = this.#options;
    const { removeEmptyFolders } = storage;
    if (removeEmptyFolders === undefined || this.#isOutOfReach()) return;
    // What holds something stays, and is listed in the report.
    await this.#limited(() => removeEmptyFolders.call(storage, this.#prefix)).catch(() => undefined);
  }
}

/** The storage's own error says more than the expectation that it broke. */
function underlying(error: unknown): unknown {
  return error instanceof assert.AssertionError && error.cause instanceof HoldfastError ? error.cause : error;
}

function describe(error: unknown): NonNullable<OutputReport['error']> {
  if (!(error instanceof assert.AssertionError)) return errorReport(error);
  const [message = ''] = error.message.split('\n');
  return { code: 'storage.failed', message, hint: 'this storage does not do what Holdfast relies on' };
}

/**
 * Tries on a storage what Holdfast needs of one: first each right, then the contract's cases, all below a fresh prefix that is removed
 * afterwards. What fails is a result, not an error; `error` names the missing right or setting where the storage tells it.
 *
 * @example
 * const { passed, steps } = await checkStorage({ storage });
 * for (const { name, error } of steps) if (error) console.log(name, error.message, error.hint);
 */
export async function checkStorage(options: CheckStorageOptions): Promise<StorageCheckReport> {
  const { backend, place, warnings } = options.storage.properties;
  const { spread } = options.storage;
  if (spread !== undefined) {
    throw new HoldfastError('usage.invalid', {
      message: 'archives are spread over several storages there, and each of them is checked by itself',
      hint: `check ${spread.members.map(({ label }) => label).join(', ')}`,
    });
  }
  const check = new Check(options);
  const leftovers = await check.run();
  const passed = check.steps.every(({ state }) => state !== 'failed') && leftovers.length === 0;
  return { backend, place, warnings, passed, steps: check.steps, leftovers };
}
