import { HoldfastError } from '../errors.ts';
import type { IndexEntry, IndexPartPlace, SegmentSize } from './entry/entry.ts';
import { decodeIndexEntries, decodeIndexHead, type IndexPartHead, maximumIndexPartBytes } from './entry/index-part.ts';
import { decodeTail, type Tail, tailRecordSizeBytes } from './entry/tail.ts';
import type { BlockStore, SegmentPlace } from './heal/block-store.ts';
import { payloadSizeBytes } from './heal/geometry.ts';
import { sealedOverheadBytes, segmentKind } from './seal/segment-cipher.ts';

/** The segments of one index part. */
interface SegmentTable {
  readonly firstSegment: number;
  /** Where each begins in the stream. */
  readonly offset: Float64Array;
  readonly plain: Uint32Array;
  readonly sealed: Uint32Array;
}

/** Parts whose bytes are kept after they were read. */
const keptParts = 4;

function corrupt(what: string): HoldfastError {
  return new HoldfastError('archive.corrupt', { message: `the index is not valid: ${what}` });
}

async function readTail(store: BlockStore): Promise<Tail> {
  const last = store.layout.totalDataBlocks - 1;
  const offset = (last + 1) * payloadSizeBytes - tailRecordSizeBytes;
  const numberBytes = Buffer.alloc(8);
  await store.readPayload(last, payloadSizeBytes - tailRecordSizeBytes, numberBytes);
  const number = numberBytes.readBigUInt64LE();
  if (number > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new HoldfastError('archive.damaged', { message: 'the tail does not authenticate' });
  }
  const into = new Uint8Array(new SharedArrayBuffer(tailRecordSizeBytes));
  const length = tailRecordSizeBytes - 8;
  const place = {
    number: Number(number),
    kind: segmentKind.tail,
    offset: offset + 8,
    length,
    maximumPlainBytes: length,
  };
  const plainLength = await store.load(place, into);
  const tail = decodeTail(into.subarray(0, plainLength));
  if (tail.segmentCount !== Number(number)) throw corrupt('the tail contradicts its number');
  if (tail.sealedBytes > offset) throw corrupt('the tail claims more bytes than there are');
  return tail;
}

/** The index of an archive: its entries, and where each segment lies. */
export class ArchiveIndex {
  readonly tail: Tail;
  readonly #store: BlockStore;
  readonly #places: readonly IndexPartPlace[];
  readonly #tables: readonly SegmentTable[];
  readonly #kept: ReadonlyMap<number, Uint8Array>;

  /** Reads the tail and all parts, from the last to the first. Throws `archive.damaged`, `archive.corrupt`. */
  static async read(store: BlockStore): Promise<ArchiveIndex> {
    const tail = await readTail(store);
    const places: IndexPartPlace[] = [];
    const tables: SegmentTable[] = [];
    const kept = new Map<number, Uint8Array>();
    const parts = new PartReader(store);
    let place: IndexPartPlace | undefined = tail.lastIndexPart;
    for (let number = tail.indexPartCount - 1; number >= 0; number--) {
      if (place === undefined) throw corrupt('a part is missing');
      const bytes = await parts.read(place);
      const head = decodeIndexHead(bytes);
      if (head.part !== number) throw corrupt('parts are out of order');
      tables.unshift(checkedTable(head, place, store.header.segmentSizeBytes));
      places.unshift(place);
      if (number < keptParts) kept.set(number, bytes);
      place = head.previous;
    }
    if (place !== undefined) throw corrupt('there are more parts than the tail says');
    return new ArchiveIndex({ tail, store, places, tables, kept });
  }

  private constructor(options: {
    tail: Tail;
    store: BlockStore;
    places: readonly IndexPartPlace[];
    tables: readonly SegmentTable[];
    kept: ReadonlyMap<number, Uint8Array>;
  }) {
    this.tail = options.tail;
    this.#store = options.store;
    this.#places = options.places;
    this.#tables = options.tables;
    this.#kept = options.kept;
  }

  /** The entries, in the order in which they were finished. Throws `archive.corrupt`, at its end too: only then all are known to be right. */
  async *entries(): AsyncGenerator<IndexEntry> {
    const parts = new PartReader(this.#store);
    let count = 0;
    let plainBytes = 0;
    const paths = new Set<string>();
    for (const [number, place] of this.#places.entries()) {
      const bytes = this.#kept.get(number) ?? (await parts.read(place));
      for (const entry of decodeIndexEntries(bytes)) {
        count++;
        plainBytes += entry.sizeBytes;
        // Names that are not UTF-8 may look alike; their bytes tell them apart.
        paths.add(entry.pathBytes === undefined ? entry.path : Buffer.from(entry.pathBytes).toString('latin1'));
        if (paths.size !== count) throw corrupt(`the path ${entry.path} stands twice`);
        yield entry;
      }
    }
    if (count !== this.tail.entryCount) throw corrupt('the number of entries is not what the tail says');
    if (plainBytes !== this.tail.plainBytes) throw corrupt('the bytes of the entries are not what the tail says');
  }

  /** Numbers of the data segments that an entry's bytes lie in, with the part of each. Throws `archive.corrupt`. */
  *pieces(
    entry: IndexEntry,
  ): Generator<{ readonly segment: number; readonly offset: number; readonly length: number }> {
    for (const run of entry.runs) {
      let { segment, offset, length } = run;
      if (offset >= this.#size(segment).plain) throw corrupt(`a run of ${entry.path} begins outside its segment`);
      while (length > 0) {
        const part = Math.min(length, this.#size(segment).plain - offset);
        yield { segment, offset, length: part };
        length -= part;
        offset = 0;
        if (length > 0) segment = this.#nextData(segment);
      }
    }
  }

  /** Where a data segment lies. Throws `archive.corrupt` for one that is not there. */
  place(number: number): SegmentPlace {
    const table = this.#table(number);
    const index = number - table.firstSegment;
    const offset = table.offset[index] ?? 0;
    const length = table.sealed[index] ?? 0;
    return { number, kind: segmentKind.data, offset, length, maximumPlainBytes: table.plain[index] ?? 0 };
  }

  /** Where all data segments lie, in their order. */
  *dataSegments(): Generator<SegmentPlace> {
    for (const { firstSegment, plain } of this.#tables) {
      for (let index = 0; index < plain.length; index++) yield this.place(firstSegment + index);
    }
  }

  #size(number: number): SegmentSize {
    const table = this.#table(number);
    const index = number - table.firstSegment;
    return { plain: table.plain[index] ?? 0, sealed: table.sealed[index] ?? 0 };
  }

  #table(number: number): SegmentTable {
    let low = 0;
    let high = this.#tables.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#tables[middle]?.firstSegment ?? 0) <= number) low = middle + 1;
      else high = middle;
    }
    const table = this.#tables[low - 1];
    if (table === undefined || number - table.firstSegment >= table.plain.length) {
      throw corrupt(`segment ${number} is not a data segment`);
    }
    return table;
  }

  #nextData(number: number): number {
    const table = this.#table(number);
    if (number + 1 - table.firstSegment < table.plain.length) return number + 1;
    for (let index = this.#tables.indexOf(table) + 1; index < this.#tables.length; index++) {
      const next = this.#tables[index] as SegmentTable;
      if (next.plain.length > 0) return next.firstSegment;
    }
    throw corrupt('a run goes on behind the last segment');
  }
}

function checkedTable(part: IndexPartHead, place: IndexPartPlace, segmentSizeBytes: number): SegmentTable {
  const { firstSegment, segments, previous } = part;
  if (firstSegment !== (previous === undefined ? 0 : previous.segment + 1)) throw corrupt('segments are missing');
  if (firstSegment + segments.length !== place.segment) throw corrupt('a part counts its segments wrongly');
  const offsets = new Float64Array(segments.length);
  let offset = previous === undefined ? 0 : previous.offset + previous.length;
  for (const [index, { plain, sealed }] of segments.entries()) {
    if (plain < 1 || plain > segmentSizeBytes || sealed > segmentSizeBytes + sealedOverheadBytes) {
      throw corrupt('a segment has an impossible length');
    }
    offsets[index] = offset;
    offset += sealed;
  }
  if (offset !== place.offset) throw corrupt('the segments do not reach their index part');
  return {
    firstSegment,
    offset: offsets,
    plain: Uint32Array.from(segments, (size) => size.plain),
    sealed: Uint32Array.from(segments, (size) => size.sealed),
  };
}

/** Reads index parts, one at a time, into memory that it uses again for the next. */
class PartReader {
  readonly #store: BlockStore;
  #memory: Uint8Array = new Uint8Array(0);

  constructor(store: BlockStore) {
    this.#store = store;
  }

  /** The bytes of a part, which are the caller's. Throws `archive.damaged`, `archive.corrupt`. */
  async read({ segment: number, offset, length }: IndexPartPlace): Promise<Uint8Array> {
    if (length > maximumIndexPartBytes + sealedOverheadBytes) throw corrupt('a part is too long');
    // How far a part expands is not written anywhere; most are small, and expand to less than this.
    const usualBytes = Math.min(2 * 1024 * 1024, 64 * 1024 + 32 * length);
    for (const maximumPlainBytes of [usualBytes, maximumIndexPartBytes]) {
      if (this.#memory.length < maximumPlainBytes)
        this.#memory = new Uint8Array(new SharedArrayBuffer(maximumPlainBytes));
      const into = this.#memory.subarray(0, maximumPlainBytes);
      try {
        const place = { number, kind: segmentKind.index, offset, length, maximumPlainBytes };
        return into.slice(0, await this.#store.load(place, into));
      } catch (error) {
        const tooLong = error instanceof HoldfastError && error.context['reason'] === 'expands';
        if (!tooLong || maximumPlainBytes === maximumIndexPartBytes) throw error;
      }
    }
    throw corrupt('a part is too long');
  }
}
