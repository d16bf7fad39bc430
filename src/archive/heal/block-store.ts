import assert from 'node:assert/strict';
import { HoldfastError, throwIfAborted } from '../../errors.ts';
import type { Header } from '../header.ts';
import type { RandomAccess } from '../random-access.ts';
import { type Range, RangeSet } from '../range-set.ts';
import { type SegmentKind, type SegmentSeal, sealedOverheadBytes, segmentKind } from '../seal/segment-cipher.ts';
import { BufferPool } from '../worker/buffer-pool.ts';
import type { LoadResult, LoadTask } from '../worker/protocol.ts';
import type { ArchiveWorkers } from '../worker/worker-pool.ts';
import type { BlockMap } from './block-map.ts';
import { blockSizeBytes, type Layout, payloadSizeBytes } from './geometry.ts';
import { Healer } from './healer.ts';
import { type Located, type LocateOptions, locate, relocate } from './locate.ts';
import { readTolerant } from './read-tolerant.ts';
import { tellsItsLength } from './told-length.ts';

const togetherBytes = 2 * 1024 * 1024;

/** How many groups of segments are read or opened at once: while each thread works on one, others are on their way from the disk. */
export function loadedAtOnce(threadCount: number): number {
  return threadCount + 3;
}

/** How many data segments are loaded together at most. */
export function segmentsTogether(header: Header): number {
  return Math.max(1, Math.min(64, Math.floor(togetherBytes / header.segmentSizeBytes)));
}

/** A segment's place in the sealed stream. */
export interface SegmentPlace {
  readonly number: number;
  readonly kind: SegmentKind;
  readonly offset: number;
  readonly length: number;
  /** Most bytes that it may expand to; for a data segment just so many. */
  readonly maximumPlainBytes: number;
}

interface Raw {
  readonly layers: Uint8Array[];
}

/**
 * The blocks of one archive, from one or more sources, healed as they are read. Nothing here needs a key but `load`.
 * Memory: what its callers ask for at once, and the healed payloads of one band.
 */
export class BlockStore {
  readonly header: Header;
  readonly headerBody: Uint8Array;
  /** That know of this archive. */
  readonly workers: ArchiveWorkers;
  readonly #options: LocateOptions;
  #located: Located;
  /** For the blocks of segments that are loaded together. */
  readonly #raw: BufferPool;
  #healer: Healer;
  #seal: SegmentSeal | undefined;
  #relocating: Promise<void> | undefined;
  /** Bytes read from the sources. */
  readBytes = 0;
  /** Data blocks that had to be taken from elsewhere than the first layer. */
  readonly healed = new Set<number>();
  /** Numbers of data blocks that were found intact in every copy. */
  #proven = new RangeSet();

  static async open(options: LocateOptions): Promise<BlockStore> {
    const sources = options.sources.map((source) => countReads(source, (bytes) => counter(bytes)));
    let store: BlockStore | undefined;
    let early = 0;
    const counter = (bytes: number) => {
      if (store === undefined) early += bytes;
      else store.readBytes += bytes;
    };
    const counted = { ...options, sources };
    const located = await locate(counted);
    store = new BlockStore(counted, located);
    store.readBytes = early;
    store.configure(undefined);
    return store;
  }

  private constructor(options: LocateOptions, located: Located) {
    this.workers = options.workers.forArchive();
    this.#options = options;
    this.#located = located;
    this.header = located.header;
    this.headerBody = located.body;
    this.#healer = this.#makeHealer();
    const sealedBytes = segmentsTogether(located.header) * (located.header.segmentSizeBytes + sealedOverheadBytes);
    const sizeBytes = (Math.ceil(sealedBytes / payloadSizeBytes) + 1) * blockSizeBytes;
    const { memory, threadCount } = this.workers;
    const count = loadedAtOnce(threadCount) * located.header.copies;
    this.#raw = new BufferPool({ count, memory, sizeBytes });
  }

  get layout(): Layout {
    return this.#located.layout;
  }

  get map(): BlockMap {
    return this.#located.map;
  }

  /** Whether it is better read in order. */
  get isSequential(): boolean {
    return this.#options.sources.some((source) => source.isSequential === true);
  }

  /** Whether the sources are as they were written, not moved about. */
  get inPlace(): boolean {
    return this.#located.inPlace;
  }

  get sizeBytes(): number {
    return this.#options.sources[0]!.sizeBytes;
  }

  /** Tells the workers about the archive; with `seal` segments can be loaded. */
  configure(seal: SegmentSeal | undefined): void {
    this.#seal = seal;
    const { archiveId, codec, dataBlocks, parityBlocks } = this.header;
    const shape = { dataBlocks, parityBlocks };
    const totalDataBlocks = this.layout.totalDataBlocks;
    this.workers.configure({ archiveId, shape, codec, seal, totalDataBlocks });
  }

  /** Reads blocks at consecutive positions as one layer has them; those that it does not have are zeros. */
  async readLayer(layer: number, firstPosition: number, count: number, into: Uint8Array): Promise<void> {
    throwIfAborted(this.#options.signal);
    let next = firstPosition;
    for (const extent of this.map.within(layer, firstPosition, count)) {
      into.fill(0, (next - firstPosition) * blockSizeBytes, (extent.position - firstPosition) * blockSizeBytes);
      next = extent.position + extent.count;
      const piece = into.subarray(
        (extent.position - firstPosition) * blockSizeBytes,
        (next - firstPosition) * blockSizeBytes,
      );
      const source = this.#options.sources[extent.source];
      if (source !== undefined) await readTolerant(source, extent.offset, piece);
    }
    into.fill(0, (next - firstPosition) * blockSizeBytes, count * blockSizeBytes);
  }

  /** Reads data blocks, which need not be at consecutive positions: all of these are asked for at once, before anything that lies behind them. */
  async #readData(layer: number, firstData: number, count: number, into: Uint8Array): Promise<void> {
    const reading: Promise<void>[] = [];
    let done = 0;
    while (done < count) {
      const position = this.layout.dataPosition(firstData + done);
      let run = 1;
      while (done + run < count && this.layout.dataPosition(firstData + done + run) === position + run) run++;
      const piece = into.subarray(done * blockSizeBytes, (done + run) * blockSizeBytes);
      reading.push(this.readLayer(layer, position, run, piece));
      done += run;
    }
    // Where one fails, the others still write to the memory.
    await Promise.allSettled(reading);
    await Promise.all(reading);
  }

  async #readLayers(layers: readonly number[], firstData: number, count: number): Promise<Raw> {
    const size = count * blockSizeBytes;
    const raw = layers.map(() => new Uint8Array(new SharedArrayBuffer(size)));
    await Promise.all(layers.map((layer, index) => this.#readData(layer, firstData, count, raw[index] as Uint8Array)));
    return { layers: raw };
  }

  /**
   * Whether its blocks tell how long the archive is. Where they do not, the size of the file is taken for it, which does for reading: what is not
   * right does not authenticate. Nothing may be written by it. Scans the sources once where it has to.
   */
  async knowsLength(): Promise<boolean> {
    if (await this.#tellsItsLength()) return true;
    if (this.#located.scanned) return false;
    this.#relocating ??= this.#relocate();
    await this.#relocating;
    return await this.#tellsItsLength();
  }

  #tellsItsLength(): Promise<boolean> {
    const { archiveId } = this.header;
    const readLayer = this.readLayer.bind(this);
    return tellsItsLength({ archiveId, layout: this.layout, layers: this.allLayers(), readLayer });
  }

  /** All layers, for work on damage. */
  allLayers(): number[] {
    return Array.from(this.map.layers.keys());
  }

  /**
   * Reads, heals and opens one segment into `into`; gives its plain length. The first layer alone is read while its bytes authenticate.
   * Throws `archive.damaged` where blocks are lost, `archive.corrupt` where whole blocks do not authenticate.
   */
  async load(place: SegmentPlace, into: Uint8Array): Promise<number> {
    assert(this.#seal !== undefined, 'the store has no key');
    const firstData = Math.floor(place.offset / payloadSizeBytes);
    const lastData = Math.floor((place.offset + place.length - 1) / payloadSizeBytes);
    const count = lastData - firstData + 1;
    if (place.length < 1 || lastData >= this.layout.totalDataBlocks) {
      throw new HoldfastError('archive.corrupt', { message: `segment ${place.number} lies outside the archive` });
    }
    let result = await this.#tryLoad(place, into, { firstData, count, layers: [0] });
    if (result.missing.length > 0 && this.map.layers.length > 1) {
      for (const index of result.missing) this.#noteHealed(firstData + index);
      result = await this.#tryLoad(place, into, { firstData, count, layers: this.allLayers() });
    }
    if (result.missing.length > 0) {
      const numbers = result.missing.map((index) => firstData + index);
      const payloads = await this.heal(numbers);
      const patches = [...payloads].map(([number, payload]) => ({ index: number - firstData, payload }));
      result = await this.#tryLoad(place, into, { firstData, count, layers: this.allLayers(), patches });
    }
    if (result.missing.length > 0) throw new HoldfastError('archive.damaged');
    if (place.kind === segmentKind.data && result.plainLength !== place.maximumPlainBytes) {
      throw new HoldfastError('archive.corrupt', { message: `segment ${place.number} is shorter than the index says` });
    }
    return result.plainLength;
  }

  /**
   * Reads and opens consecutive data segments into `into`, joined, from the first layer alone; false where one does not open, and
   * has to be loaded by itself. This is the way of an archive that is whole: few large reads, few messages, memory that is used again.
   * With `checkBlocks` the blocks that hold the segments are read of every copy, and are `proven` if all are intact.
   */
  async loadTogether(places: readonly SegmentPlace[], into: Uint8Array, checkBlocks: boolean): Promise<boolean> {
    const [first] = places;
    const last = places.at(-1);
    if (first === undefined || last === undefined) return true;
    const firstData = Math.floor(first.offset / payloadSizeBytes);
    const lastData = Math.floor((last.offset + last.length - 1) / payloadSizeBytes);
    const count = lastData - firstData + 1;
    const { map } = this;
    // Elsewhere layers are not copies.
    const checked = checkBlocks && this.inPlace && map.layers.length === this.header.copies;
    const layerNumbers = checked ? this.allLayers() : [0];
    const sizeBytes = count * blockSizeBytes;
    if (sizeBytes > this.#raw.sizeBytes || lastData >= this.layout.totalDataBlocks) return false;
    const buffers = await this.#raw.acquireSeveral(layerNumbers.length);
    try {
      const layers = buffers.map((buffer) => buffer.subarray(0, sizeBytes));
      const reading = layerNumbers.map(async (layer, index) => {
        await this.#readData(layer, firstData, count, layers[index] as Uint8Array);
      });
      // Where one fails, the others still write to memory that is lent.
      await Promise.allSettled(reading);
      await Promise.all(reading);
      const segments = places.map(({ number, offset, length, maximumPlainBytes }) => {
        return { number, offset: offset - firstData * payloadSizeBytes, length, plainLength: maximumPlainBytes };
      });
      const task = { layers, checkBlocks: checked, firstData, count, segments, into };
      const opened = await this.workers.run('open', task);
      if (opened && checked && this.map === map) this.#proven.add(firstData, lastData + 1);
      return opened;
    } catch (error) {
      // What a single segment contradicts is said when it is loaded by itself.
      if (error instanceof HoldfastError && error.code === 'archive.corrupt') return false;
      throw error;
    } finally {
      for (const buffer of buffers) this.#raw.release(buffer);
    }
  }

  /** Takes over what another check found of these very copies: data blocks that are intact in each of them. */
  addProven(blocks: RangeSet): void {
    if (this.inPlace && this.map.layers.length === this.header.copies) this.#proven = blocks;
  }

  /** Of data blocks, those that were not found intact in every copy yet. */
  unproven(firstData: number, count: number): Iterable<Range> {
    return this.#proven.gaps(firstData, firstData + count);
  }

  async #tryLoad(
    place: SegmentPlace,
    into: Uint8Array,
    blocks: {
      firstData: number;
      count: number;
      layers: number[];
      patches?: readonly { index: number; payload: Uint8Array }[];
    },
  ): Promise<LoadResult> {
    const { firstData, count, patches = [] } = blocks;
    const { layers } = await this.#readLayers(blocks.layers, firstData, count);
    return await this.#open(place, into, { firstData, count, layers, patches });
  }

  async #open(
    place: SegmentPlace,
    into: Uint8Array,
    raw: Pick<LoadTask, 'firstData' | 'count' | 'layers' | 'patches'>,
  ): Promise<LoadResult> {
    const { firstData, count, layers, patches } = raw;
    return await this.workers.run('load', {
      layers,
      firstData,
      count,
      patches,
      offset: place.offset - firstData * payloadSizeBytes,
      length: place.length,
      number: place.number,
      kind: place.kind,
      maximumPlainBytes: Math.min(place.maximumPlainBytes, into.length),
      compressed: place.kind !== segmentKind.tail,
      into,
    });
  }

  /** Bytes of one data block's payload, healed; they are not authenticated. */
  async readPayload(number: number, offset: number, into: Uint8Array): Promise<void> {
    const payload = (await this.#readIntact(number)) ?? (await this.heal([number])).get(number);
    if (payload === undefined) throw new HoldfastError('archive.damaged');
    into.set(payload.subarray(offset, offset + into.length));
  }

  #noteHealed(number: number): void {
    // The set is for a count; a very damaged archive need not be listed to the last block.
    if (this.healed.size < 1_000_000) this.healed.add(number);
  }

  /** Gives back payloads of data blocks that are intact nowhere. Throws `archive.damaged`, naming those that are lost. */
  async heal(numbers: readonly number[]): Promise<Map<number, Uint8Array>> {
    const payloads = await this.tryHeal(numbers);
    const lost = numbers.filter((number) => payloads.get(number) === undefined);
    if (lost.length > 0) {
      const positions = lost.map((number) => this.layout.dataPosition(number));
      throw new HoldfastError('archive.damaged', {
        message: `the archive is damaged beyond repair: ${lost.length} block(s) are lost, the first at position ${positions[0]}`,
        context: { blocks: positions.slice(0, 1000) },
      });
    }
    return payloads as Map<number, Uint8Array>;
  }

  /** As `heal`; what is lost is undefined. Scans the sources once where blocks are not at their places. */
  async tryHeal(numbers: readonly number[]): Promise<Map<number, Uint8Array | undefined>> {
    for (const number of numbers) this.#noteHealed(number);
    const first = await this.#healer.heal(numbers);
    if (this.#located.scanned || numbers.every((number) => first.get(number) !== undefined)) return first;
    this.#relocating ??= this.#relocate();
    await this.#relocating;
    // The scan may have found that the archive is shorter than its file's size told.
    const inside = numbers.filter((number) => number < this.layout.totalDataBlocks);
    const found = await Promise.all(inside.map(async (number) => [number, await this.#readIntact(number)] as const));
    const missing = found.filter(([, payload]) => payload === undefined).map(([number]) => number);
    return new Map([...found, ...(await this.#healer.heal(missing))]);
  }

  /** The payload of a data block from any layer that has it intact. */
  async #readIntact(number: number): Promise<Uint8Array | undefined> {
    const { layers } = await this.#readLayers(this.allLayers(), number, 1);
    const payloads = new Uint8Array(new SharedArrayBuffer(payloadSizeBytes));
    const { headerBody } = this;
    const firstPosition = this.layout.dataPosition(number);
    const task = { layers, firstPosition, count: 1, headerBody, payloads };
    const { intact } = await this.workers.run('check', task);
    return intact[0] === 0 ? undefined : payloads;
  }

  async #relocate(): Promise<void> {
    const { header, body, layout, map } = this.#located;
    const found = await relocate({ header, body }, this.#options);
    // A scan sees only intact blocks; the places by the file's size stay candidates for those that are damaged.
    const same = found.layout.totalDataBlocks === layout.totalDataBlocks;
    this.#located = { ...found, map: same ? found.map.withGuesses(map.layers.flat()) : found.map };
    this.#healer = this.#makeHealer();
    this.#proven = new RangeSet();
    this.configure(this.#seal);
  }

  #makeHealer(): Healer {
    return new Healer({
      layout: this.layout,
      layers: this.map.layers.length,
      workers: this.workers,
      read: (layer, position, into) => this.readLayer(layer, position, 1, into),
      has: (layer, position) => this.map.within(layer, position, 1).next().done !== true,
    });
  }
}

/** Counts the bytes that are read. */
function countReads(source: RandomAccess, count: (bytes: number) => void): RandomAccess {
  return {
    sizeBytes: source.sizeBytes,
    isSequential: source.isSequential,
    read: async (offset, into) => {
      const read = await source.read(offset, into);
      count(read);
      return read;
    },
    close: () => source.close(),
  };
}
