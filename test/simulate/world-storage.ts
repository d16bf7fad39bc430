/** Storages of a simulated world: what lies in them, and each process's way to it, with what goes wrong there. */
import { type ErrorCode, HoldfastError, throwIfAborted } from '../../src/errors.ts';
import type {
  OpenedObject,
  RandomAccess,
  Storage,
  StorageProperties,
  StorageWriter,
  StoredObject,
  WriterOptions,
} from '../../src/storage/storage.ts';
import type { FakeClock } from '../../src/testing/fake-clock.ts';
import type { StorageFault } from './plan.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** What lies in a storage under a name. */
export interface WorldObject {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
  /** What it takes, where that is not what it has to read. */
  readonly sizeBytes?: number;
}

/** What a process made visible, or removed. */
export interface Change {
  readonly storage: WorldStorage;
  readonly name: string;
  /** Undefined where it was removed. */
  readonly bytes: Uint8Array | undefined;
}

/** A mistake that storages of a world make, for the test that the oracle sees it. */
export type StorageMistake = 'publishes-at-abort' | 'publishes-rot' | 'forgets-to-check' | 'deletes-another';

/** The objects of a storage. The world changes them directly. */
export class WorldStorage {
  readonly label: string;
  readonly objects = new Map<string, WorldObject>();
  readonly mistake: StorageMistake | undefined;

  constructor(label: string, mistake: StorageMistake | undefined) {
    this.label = label;
    this.mistake = mistake;
  }

  url(name: string): string {
    return `world:${this.label}/${name}`;
  }
}

interface SessionOptions {
  readonly process: SimulatedProcess;
  readonly clock: FakeClock;
  readonly faults: readonly StorageFault[];
  onFault(kind: string): void;
  onChange(change: Change): void;
}

type CountedKind = 'call' | 'write' | 'commit' | 'delete' | 'read';

/** The way of one process to one storage. */
export class StorageSession implements Storage {
  readonly properties: StorageProperties;
  readonly #world: WorldStorage;
  readonly #options: SessionOptions;
  readonly #counts: Record<CountedKind, number> = { call: 0, write: 0, commit: 0, delete: 0, read: 0 };

  constructor(world: WorldStorage, options: SessionOptions) {
    this.#world = world;
    this.#options = options;
    this.properties = { backend: 'world', place: world.label, warnings: [], usesSpool: false };
  }

  async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    await this.call();
    throwIfAborted(options.signal);
    return new SessionWriter(this, this.#world, name, options);
  }

  async open(name: string): Promise<OpenedObject> {
    await this.call();
    return this.reading(this.#find(name).bytes);
  }

  async stat(name: string): Promise<StoredObject> {
    await this.call();
    const { bytes, modifiedMs } = this.#find(name);
    return { name, sizeBytes: bytes.length, modifiedMs };
  }

  async *list(prefix = ''): AsyncIterable<StoredObject> {
    await this.call();
    let names = [...this.#world.objects.keys()].filter((name) => name.startsWith(prefix)).sort();
    if (this.#has('list-shuffled')) names = names.reverse();
    if (this.#has('list-hides')) names = names.slice(0, -1);
    if (this.#has('list-doubled')) names = names.flatMap((name) => [name, name]);
    const breaks = this.#has('list-breaks') ? Math.floor(names.length / 2) : undefined;
    for (const [index, name] of names.entries()) {
      if (index === breaks) throw injected('storage.unavailable', 'the listing breaks off');
      const object = this.#world.objects.get(name);
      if (object) yield { name, sizeBytes: object.bytes.length, modifiedMs: object.modifiedMs };
    }
  }

  async delete(name: string): Promise<void> {
    await this.call();
    const other = [...this.#world.objects.keys()].at(-1);
    const gone = this.#world.mistake === 'deletes-another' ? (other ?? name) : name;
    if (this.#world.objects.delete(gone)) {
      this.#options.onChange({ storage: this.#world, name: gone, bytes: undefined });
    }
    if (this.counted('delete', ['delete-answer-lost'])) throw injected('storage.unavailable', 'the answer is lost');
  }

  url(name: string): string {
    return this.#world.url(name);
  }

  async close(): Promise<void> {}

  /** A call of any kind: the process may die here, and the storage may fail. */
  async call(): Promise<void> {
    await this.#options.process.step();
    const { faults, clock, onFault } = this.#options;
    const count = ++this.#counts.call;
    for (const fault of faults) {
      if (fault.kind === 'away') {
        onFault(fault.kind);
        throw injected('storage.unavailable', 'it is away');
      }
      if (fault.kind === 'call-fails' && count >= fault.at && count < fault.at + fault.times) {
        onFault(fault.kind);
        throw injected(fault.code, `call ${count}`);
      }
      if (fault.kind === 'call-slow' && fault.at === count) {
        onFault(fault.kind);
        clock.advance(fault.durationMs);
      }
    }
  }

  /** Counts one of its kind, and says which of some faults it is for. */
  counted(kind: CountedKind, kinds: readonly StorageFault['kind'][]): StorageFault['kind'] | undefined {
    const count = ++this.#counts[kind];
    const found = this.#options.faults.find(
      (fault) => kinds.includes(fault.kind) && 'at' in fault && fault.at === count,
    );
    if (found !== undefined) this.#options.onFault(found.kind);
    return found?.kind;
  }

  /** Makes an object visible. */
  publish(name: string, bytes: Uint8Array): StoredObject {
    const modifiedMs = this.#options.clock.nowMs();
    this.#world.objects.set(name, { bytes, modifiedMs });
    this.#options.onChange({ storage: this.#world, name, bytes });
    return { name, sizeBytes: bytes.length, modifiedMs };
  }

  /** Bytes for reading, by this session. */
  reading(bytes: Uint8Array): RandomAccess {
    return {
      sizeBytes: bytes.length,
      read: async (offset, into) => {
        await this.call();
        const fault = this.counted('read', ['read-flips', 'read-short', 'read-bad-sector']);
        if (fault === 'read-bad-sector') throw injected('storage.failed', `a bad sector at ${offset}`);
        const length = fault === 'read-short' ? Math.ceil(into.length / 2) : into.length;
        const part = bytes.subarray(offset, offset + length);
        into.set(part);
        const middle = part.length >> 1;
        if (fault === 'read-flips' && part.length > 0) into[middle] = (into[middle] ?? 0) ^ 0x10;
        return part.length;
      },
      close: async () => undefined,
    };
  }

  #has(kind: StorageFault['kind']): boolean {
    const found = this.#options.faults.some((fault) => fault.kind === kind);
    if (found) this.#options.onFault(kind);
    return found;
  }

  #find(name: string): WorldObject {
    const object = this.#world.objects.get(name);
    if (object) return object;
    throw new HoldfastError('storage.not_found', {
      message: `${this.url(name)}: it does not exist`,
      context: { name },
    });
  }
}

const writeFaults = [
  'write-torn',
  'write-dropped',
  'write-doubled',
  'write-swapped',
  'write-rots',
  'write-full',
] as const;

/** Writes as told, or not quite: what it says it took may not be what it holds. */
class SessionWriter implements StorageWriter {
  readonly #session: StorageSession;
  readonly #world: WorldStorage;
  readonly #name: string;
  readonly #options: WriterOptions;
  #chunks: Uint8Array[] = [];
  #isSwapped = false;
  #state: 'open' | 'committed' | 'discarded' = 'open';

  constructor(session: StorageSession, world: WorldStorage, name: string, options: WriterOptions) {
    this.#session = session;
    this.#world = world;
    this.#name = name;
    this.#options = options;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const kept = bytes.slice();
    await this.#step();
    const fault = this.#session.counted('write', writeFaults);
    if (fault === 'write-full') {
      this.#discard();
      throw injected('storage.full', 'there is no space left');
    }
    if (fault === 'write-torn') this.#chunks.push(kept.subarray(0, kept.length >> 1));
    else if (fault === 'write-doubled') this.#chunks.push(kept, kept);
    else if (fault !== 'write-dropped') this.#chunks.push(kept);
    if (fault === 'write-rots') kept[kept.length >> 1] = (kept[kept.length >> 1] ?? 0) ^ 1;
    this.#isSwapped ||= fault === 'write-swapped';
  }

  async commit(check?: (stored: RandomAccess) => Promise<void>): Promise<StoredObject> {
    await this.#step();
    if (this.#isSwapped && this.#chunks.length > 1) this.#chunks.unshift(...this.#chunks.splice(-1));
    const { copies, onReplicate } = this.#options;
    const run = Buffer.concat(this.#chunks);
    const bytes = new Uint8Array(run.length * copies);
    for (let copy = 0; copy < copies; copy += 1) bytes.set(run, copy * run.length);
    if (copies > 1) onReplicate?.(run.length * (copies - 1), run.length * (copies - 1));
    const { mistake } = this.#world;
    try {
      if (mistake !== 'forgets-to-check') await check?.(this.#session.reading(bytes));
      await this.#step();
    } catch (error) {
      await this.abort();
      throw error;
    }
    const fault = this.#session.counted('commit', ['commit-lost', 'commit-answer-lost']);
    if (fault === 'commit-lost') {
      this.#discard();
      throw injected('storage.unavailable', 'the request is lost');
    }
    if (mistake === 'publishes-rot') bytes.fill(0, bytes.length >> 2, bytes.length >> 1);
    this.#state = 'committed';
    const stored = this.#session.publish(this.#name, bytes);
    if (fault === 'commit-answer-lost') throw injected('storage.unavailable', 'the answer is lost');
    return stored;
  }

  async abort(): Promise<void> {
    if (this.#state === 'open' && this.#world.mistake === 'publishes-at-abort' && this.#chunks.length > 0) {
      this.#session.publish(this.#name, new Uint8Array(Buffer.concat(this.#chunks)));
    }
    this.#discard();
  }

  #discard(): void {
    if (this.#state === 'open') this.#state = 'discarded';
    this.#chunks = [];
  }

  async #step(): Promise<void> {
    await this.#session.call();
    throwIfAborted(this.#options.signal);
    if (this.#state !== 'open') throw new HoldfastError('operation.interrupted');
  }
}

function injected(code: ErrorCode, what: string): HoldfastError {
  return new HoldfastError(code, { message: `injected fault: ${what}`, context: { injected: true } });
}
