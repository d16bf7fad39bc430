import assert from 'node:assert/strict';
import { createHash, type Hash } from 'node:crypto';
import { compressSegment } from '../compress/codec.ts';
import { BlockFramer } from '../heal/block-framer.ts';
import { checkBlocks, loadSegment, openSegments } from '../heal/check.ts';
import { Layout, type StripeShape } from '../heal/geometry.ts';
import type { ParityAccumulator } from '../heal/parity-accumulator.ts';
import { scanBlocks } from '../heal/scan.ts';
import { solveStripe } from '../heal/solve.ts';
import { sealSegment } from '../seal/segment-cipher.ts';
import { freeMemory } from './free-memory.ts';
import type { HashSpan, SealTask, TaskName, TaskRequest, WorkerSetup } from './protocol.ts';

interface WorkerState extends WorkerSetup {
  readonly layout: Layout | undefined;
}

/** Accumulators kept at most: megabytes each. */
const maximumSpare = 4;

/** Accumulators that hold nothing, for whoever makes parity next. */
export class SpareAccumulators {
  readonly #free: ParityAccumulator[] = [];

  take(shape: StripeShape): ParityAccumulator | undefined {
    const index = this.#free.findIndex((accumulator) => accumulator.isFor(shape));
    return index === -1 ? undefined : this.#free.splice(index, 1)[0];
  }

  giveBack(accumulator: ParityAccumulator): void {
    this.#free.push(accumulator);
    if (this.#free.length > maximumSpare) this.#free.shift();
  }
}

/** Does tasks one after the other, and keeps what they share: what is known of archives, and hashes that have begun. */
export class TaskRunner {
  readonly #spare: SpareAccumulators;
  readonly #archives = new Map<number, ArchiveTasks>();
  readonly #hashes = new Map<number, Hash>();

  /** What is spare may serve other runners of the thread too. */
  constructor(spare = new SpareAccumulators()) {
    this.#spare = spare;
  }

  /** Forgets the archives that are being made. */
  endParity(): void {
    for (const tasks of this.#archives.values()) tasks.endParity();
  }

  /** Does a task; throws what it throws. */
  run({ name, archive, input }: Pick<TaskRequest, 'name' | 'archive' | 'input'>): unknown {
    if (name === 'hash') return this.#hash(input as TaskRequest<'hash'>['input']);
    const tasks = this.#archives.get(archive) ?? new ArchiveTasks(this.#spare);
    this.#archives.set(archive, tasks);
    return tasks.run(name, input);
  }

  #hash(task: { bytes: Uint8Array; spans: readonly HashSpan[] }): { entry: number; sha256: string }[] {
    const ended: { entry: number; sha256: string }[] = [];
    for (const span of task.spans) {
      const hasher = this.#hashes.get(span.entry) ?? createHash('sha256');
      hasher.update(task.bytes.subarray(span.offset, span.offset + span.length));
      if (span.last) {
        ended.push({ entry: span.entry, sha256: hasher.digest('hex') });
        this.#hashes.delete(span.entry);
      } else {
        this.#hashes.set(span.entry, hasher);
      }
    }
    return ended;
  }
}

type ArchiveTaskName = Exclude<TaskName, 'hash'>;

/** The tasks of one archive, with what they share: its setup and its parity. */
class ArchiveTasks {
  #state: WorkerState | undefined;
  #framer: BlockFramer | undefined;
  readonly #spare: SpareAccumulators;
  readonly #handlers: { [Name in ArchiveTaskName]: (input: TaskRequest<Name>['input']) => unknown } = {
    configure: (setup) => this.#configure(setup),
    seal: (task) => this.#seal(task),
    resetParity: () => this.endParity(),
    frame: (task) => this.#currentFramer().frame(task),
    parity: (task) => this.#currentFramer().parity(task),
    check: (task) => checkBlocks(task, this.#configured().archiveId, this.#layout()),
    load: (task) => loadSegment(task, this.#configured(), this.#layout()),
    open: (task) => openSegments(task, this.#configured(), this.#layout()),
    solve: (task) => solveStripe(task, this.#configured(), this.#layout()),
    scan: scanBlocks,
  };

  constructor(spare: SpareAccumulators) {
    this.#spare = spare;
  }

  /** Forgets what was made of the parity. */
  endParity(): void {
    if (this.#framer !== undefined) this.#spare.giveBack(this.#framer.release());
    this.#framer = undefined;
  }

  run(name: ArchiveTaskName, input: TaskRequest['input']): unknown {
    const handler = this.#handlers[name] as (given: unknown) => unknown;
    return handler(input);
  }

  #configured(): WorkerState {
    assert(this.#state !== undefined, 'the worker was not configured');
    return this.#state;
  }

  #layout(): Layout {
    const known = this.#configured().layout;
    assert(known !== undefined, 'the layout is not known');
    return known;
  }

  #configure(setup: WorkerSetup): void {
    const known = setup.totalDataBlocks === undefined ? undefined : new Layout(setup.totalDataBlocks, setup.shape);
    this.#state = { ...setup, layout: known };
  }

  #seal(task: SealTask): number[] {
    const { codec, seal: keys } = this.#configured();
    assert(keys !== undefined, 'the worker has no key');
    let end = 0;
    return task.segments.map(({ number, offset, length }) => {
      const compressed = compressSegment(codec, task.plain.subarray(offset, offset + length));
      const sealed = sealSegment(keys, { number, kind: task.kind, bytes: compressed }, task.into.subarray(end));
      freeMemory(compressed);
      end += sealed;
      return sealed;
    });
  }

  #currentFramer(): BlockFramer {
    const { archiveId, shape } = this.#configured();
    this.#framer ??= new BlockFramer(archiveId, shape, this.#spare.take(shape));
    return this.#framer;
  }
}
