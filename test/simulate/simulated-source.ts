/** An application in a simulated world: a database with rows, and files, that change from backup to backup. */
import { createHash } from 'node:crypto';
import { HoldfastError } from '../../src/errors.ts';
import type { Source, SourceContext, SourceDescription, SourceEntry } from '../../src/source/source.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import { contentCanary } from './canaries.ts';
import type { Fault, SourceFault } from './plan.ts';
import type { SimulatedProcess } from './simulated-process.ts';

interface Part {
  /** Of a database of SQLite the bytes are what stands in it, as text: no two files of it are the same. */
  readonly kind: 'table' | 'file' | 'stream' | 'sqlite';
  readonly bytes: Uint8Array;
  readonly rows?: number;
}

/** What an application holds at one moment, by path in the archive. */
export type Snapshot = ReadonlyMap<string, Part>;

/** What a database and its files hold in a version; the same for the same numbers. `share` is how much of it is left. */
export function snapshotOf(name: string, version: number, share = 1): Snapshot {
  const digest = createHash('sha256').update(`${name} ${version}`).digest();
  const random = new SeededRandom(digest.readUInt32LE(0));
  const snapshot = new Map<string, Part>();
  for (const table of ['customer', 'invoice']) {
    const rows = Math.ceil((20 + random.integer(20)) * share);
    const bytes = Buffer.concat(
      Array.from({ length: rows }, () => Buffer.concat([Buffer.from(`${contentCanary} `), random.bytes(60)])),
    );
    snapshot.set(`databases/${name}/tables/${table}`, { kind: 'table', bytes, rows });
  }
  for (const file of ['a.png', 'b/c.png']) {
    const bytes = Buffer.concat([Buffer.from(contentCanary), random.bytes(random.integer(3000))]);
    snapshot.set(`files/${name}/${file}`, { kind: 'file', bytes });
  }
  return snapshot;
}

/** The only fault of a source among others. */
export function sourceFaultOf(faults: readonly Fault[]): SourceFault | undefined {
  return faults.find((fault): fault is SourceFault => fault.kind.startsWith('source-'));
}

interface SourceOptions {
  readonly name: string;
  readonly snapshot: Snapshot;
  readonly part: 'table' | 'file';
  readonly fault: SourceFault | undefined;
  readonly process: SimulatedProcess;
  onFault(kind: string): void;
  /** A mistake for the test of the oracle: what fails in the middle ends as if that were all. */
  readonly hidesFailures: boolean;
}

/** Reads one half of a snapshot, table by table or file by file. */
export class SimulatedSource implements Source {
  readonly name: string;
  readonly #options: SourceOptions;
  #chunks = 0;

  constructor(options: SourceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async describe(): Promise<SourceDescription> {
    await this.#options.process.step();
    if (this.#isHit('source-gone'))
      throw new HoldfastError('source.not_found', { message: 'injected fault: it is gone' });
    const isTable = this.#options.part === 'table';
    return { type: isTable ? 'simulated' : 'files', label: this.name, expectedSizeBytes: 3000 };
  }

  async *entries(context: SourceContext): AsyncGenerator<SourceEntry> {
    await this.#options.process.step();
    const { snapshot, part } = this.#options;
    if (this.#isHit('source-empty')) return;
    if (part === 'file') {
      yield { path: `files/${this.name}`, kind: 'directory', expectedSizeBytes: 0, metadata: {} };
      yield { path: `files/${this.name}/b`, kind: 'directory', expectedSizeBytes: 0, metadata: {} };
    }
    for (const [path, { kind, bytes, rows }] of snapshot) {
      if (kind !== part) continue;
      const metadata = { engine: 'simulated', ...(rows === undefined ? {} : { rows }) };
      const open = () => this.#read(bytes);
      yield { path, kind, expectedSizeBytes: bytes.length, metadata, open };
    }
    if (part === 'file' && this.#isHit('source-changes')) {
      context.report({ code: 'source.changed', path: `${this.name}/a.png`, message: 'injected fault: it changed' });
    }
  }

  async close(): Promise<void> {}

  async *#read(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    const { process, fault, part, onFault, hidesFailures } = this.#options;
    for (let offset = 0; offset < bytes.length; offset += 900) {
      await process.step();
      this.#chunks += 1;
      if (fault?.kind === 'source-fails' && part === 'table' && fault.at === this.#chunks) {
        onFault(fault.kind);
        if (hidesFailures) return;
        throw new HoldfastError('source.unreadable', { message: 'injected fault: the connection is lost' });
      }
      yield bytes.subarray(offset, offset + 900);
    }
  }

  #isHit(kind: SourceFault['kind']): boolean {
    const { fault, onFault, part } = this.#options;
    // What is gone, or empty, is all of it.
    if (fault?.kind !== kind || (kind === 'source-gone' && part !== 'table')) return false;
    onFault(kind);
    return true;
  }
}

/** The files of an application: a source of another kind may have the name of its database. */
export class SimulatedTree extends SimulatedSource {}
