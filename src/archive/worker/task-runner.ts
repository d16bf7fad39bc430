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

/** Does tasks one after the other, and keeps what they share: the archive, its parity, hashes that have begun. */
export class TaskRunner {
  #state: WorkerState | undefined;
  #framer: BlockFramer | undefined;
  readonly #spare: SpareAccumulators;
  readonly #hashes = new Map<number, Hash>();
  readonly #handlers: { [Name in TaskName]: (input: TaskRequest<Name>['input']) => unknown } = {
    configure: (setup) => this.#configure(setup),
    seal: (task) => this.#seal(task),
    hash: (task) => this.#hash(task),
    resetParity: () => this.endParity(),
    frame: (task) => this.#currentFramer().frame(task),
    parity: (task) => this.#currentFramer().parity(task),
    check: (task) => checkBlocks(task, this.#configured().archiveId, this.#layout()),
    load: (task) => loadSegment(task, this.#configured(), this.#layout()),
    open: (task) => openSegments(task, this.#configured(), this.#layout()),
    solve: (task) => solveStripe(task, this.#configured(), this.#layout()),
    scan: scanBlocks,
  };

  /** What is spare may serve other runners of the thread too. */
  constructor(spare = new SpareAccumulators()) {
    this.#spare = spare;
  }

  /** Forgets the archive that is being made. */
  endParity(): void {
    if (this.#framer !== undefined) this.#spare.giveBack(this.#framer.release());
    this.#framer = undefined;
  }

  /** Does a task; throws what it throws. */
  run({ name, input }: Pick<TaskRequest, 'name' | 'input'>): unknown {
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

  #currentFramer(): BlockFramer {
    const { archiveId, shape } = this.#configured();
    this.#framer ??= new BlockFramer(archiveId, shape, this.#spare.take(shape));
    return this.#framer;
  }
}
