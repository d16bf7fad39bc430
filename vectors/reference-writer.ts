/**
 * A plain writer of the format, made from docs/format.md alone: small and slow, nothing of it is shared with src/. All randomness
 * and time come from the specification, so that the same specification makes the same bytes. The bends change one thing each, at
 * the layer where it stands; everything above and below is then made right, so that an archive has one fault.
 */
import { argon2Sync, createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { ageFile } from './age-file.ts';
import { type CodecName, codecNumbers, member } from './codec-members.ts';
import { parityOf } from './reference-parity.ts';
import { xxh3With128Bits } from './reference-xxh3.ts';

export const blockSize = 4096;
const payloadSize = 4032;

/** A stream of bytes that looks random: counter-mode SHA-256 of a seed. */
export class SeededBytes {
  readonly #seed: string;
  #counter = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  next(length: number): Buffer {
    const parts: Buffer[] = [];
    for (let have = 0; have < length; have += 32) parts.push(sha256(`${this.#seed}/${this.#counter++}`));
    return Buffer.concat(parts).subarray(0, length);
  }
}

/** One entry to write. */
export interface ReferenceEntry {
  readonly path: string;
  readonly pathBytes?: Buffer;
  readonly kind: string;
  readonly bytes: Buffer;
  readonly metadata?: Record<string, unknown>;
}

/** One key slot to write. */
export interface ReferenceSlot {
  readonly type: 'passphrase' | 'age' | 'unknown';
  /** The passphrase, or the recipient's 32 bytes. */
  readonly key: string | Buffer;
  readonly label?: Buffer;
  /** Other parameters than the least ones: they stand in the slot, and nothing is derived with them. */
  readonly argon2?: { readonly memory: number; readonly passes: number; readonly lanes: number };
}

/** What generators may change, each at its own layer. */
export interface Bends {
  /** The header before its code is made. */
  header?(header: Buffer): void;
  /** The header with its code. */
  code?(header: Buffer): void;
  /** A segment's compressed bytes, before they are sealed. */
  member?(number: number, bytes: Buffer): Buffer;
  /** What a segment is sealed as. */
  sealAs?(number: number): { number?: number; kind?: number; fixedPart?: Buffer };
  /** The plain length that the index states for a data segment. */
  statedPlain?(number: number, length: number): number;
  /** Lines of an index part, before they are joined. */
  index?(part: number, lines: string[]): string[];
  tail?(tail: Buffer): void;
  /** The number in clear before the sealed tail. */
  tailNumber?(number: number): number;
  /** The sealed segments, in order; their lengths have to stay. */
  sealed?(segments: Buffer[]): void;
  /** The blocks of one copy, before copies are made of them. */
  blocks?(blocks: Buffer[], geometry: Geometry): void;
}

/** What to write. */
export interface Specification {
  readonly seed: string;
  readonly entries: readonly ReferenceEntry[];
  readonly createdMs?: number;
  readonly codec?: CodecName;
  readonly copies?: number;
  readonly dataBlocks?: number;
  readonly parityBlocks?: number;
  readonly segmentSize?: number;
  readonly generation?: number;
  /** None: cipher none. */
  readonly slots?: readonly ReferenceSlot[];
  /** The order in which bytes of entries are written: [entry, bytes]. One entry after the other unless set. */
  readonly order?: readonly (readonly [number, number])[];
  /** An index part after so many data segments; one at the end unless set. */
  readonly indexEverySegments?: number;
  /** Bytes of zeros between copies. */
  readonly fillerBytes?: number;
  readonly bends?: Bends;
}

/** Where things stand in one copy (section 3). */
export interface Geometry {
  readonly dataCount: number;
  readonly blockCount: number;
  readonly bands: readonly Band[];
}

export interface Band {
  readonly firstPosition: number;
  readonly dataBlocks: number;
  readonly stripes: number;
  readonly parityRows: number;
}

/** What was written. */
export interface Written {
  readonly file: Buffer;
  readonly id: Buffer;
  readonly geometry: Geometry;
  readonly entries: readonly { path: string; kind: string; sizeBytes: number; sha256: string }[];
  /** Blocks of one copy. */
  readonly blocks: readonly Buffer[];
  readonly sealed: readonly Buffer[];
  readonly fixedPart: Buffer;
}

export function sha256(...parts: (Buffer | string)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function hkdf(key: Buffer, salt: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, 32));
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** AES-256-GCM: ciphertext and tag. */
function seal(key: Buffer, nonce: Buffer, bytes: Buffer, associated: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated);
  return Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

/** Section 3: bands and stripes of `dataCount` data blocks. */
export function geometryOf(dataCount: number, K: number, M: number): Geometry {
  const bands: Band[] = [];
  let position = 0;
  for (let first = 0; first < dataCount; first += 64 * K) {
    const dataBlocks = Math.min(64 * K, dataCount - first);
    const stripes = dataBlocks <= K ? 1 : dataBlocks <= 8 * K ? 8 : 64;
    const longest = Math.ceil(dataBlocks / stripes);
    const parityRows = Math.min(M, Math.max(2, Math.ceil((longest * M) / K) + 4));
    bands.push({ firstPosition: position, dataBlocks, stripes, parityRows });
    position += 3 + dataBlocks + stripes * parityRows;
  }
  return { dataCount, blockCount: position + 3, bands };
}

/** Puts the right hashes into a block (section 2). */
export function hashBlock(block: Buffer): Buffer {
  if (block[28] === 1) {
    const hash = xxh3With128Bits(block.subarray(0, 4064));
    hash.copy(block, 4064);
    hash.copy(block, 4080);
  } else {
    xxh3With128Bits(block.subarray(0, 4080)).copy(block, 4080);
  }
  return block;
}

interface Frame {
  readonly id: Buffer;
  readonly position: number;
  readonly bandSize?: number;
  readonly kind: 0 | 1 | 2 | 3;
  readonly ordinal?: number;
}

function makeBlock(frame: Frame, body: Buffer): Buffer {
  const block = Buffer.alloc(blockSize);
  frame.id.copy(block, 0);
  u64(frame.position).copy(block, 16);
  block.writeUInt32LE(frame.bandSize ?? 0, 24);
  block[28] = frame.kind;
  block[29] = frame.ordinal ?? 0;
  body.copy(block, 32);
  return hashBlock(block);
}

function slotBytes(slot: ReferenceSlot, id: Buffer, dataKey: Buffer, random: SeededBytes, createdMs: number): Buffer {
  const label = slot.label ?? Buffer.from('test');
  const body = slotBody(slot, id, dataKey, random);
  const head = Buffer.alloc(16);
  head[0] = { passphrase: 1, age: 2, unknown: 200 }[slot.type];
  head[1] = label.length;
  head.writeUInt16LE(body.length, 2);
  random.next(4).copy(head, 4);
  u64(createdMs).copy(head, 8);
  return Buffer.concat([head, label, body]);
}

function slotBody(slot: ReferenceSlot, id: Buffer, dataKey: Buffer, random: SeededBytes): Buffer {
  if (slot.type === 'unknown') return random.next(40);
  if (typeof slot.key !== 'string') return ageFile(slot.key, dataKey, (length) => random.next(length));
  const parameters = slot.argon2 ?? { memory: 65_536, passes: 3, lanes: 4 };
  const salt = random.next(16);
  const nonce = random.next(12);
  const numbers = Buffer.alloc(12);
  numbers.writeUInt32LE(parameters.memory, 0);
  numbers.writeUInt32LE(parameters.passes, 4);
  numbers.writeUInt32LE(parameters.lanes, 8);
  // Parameters that are out of range are never used by a reader: any key will do.
  const key = slot.argon2 === undefined ? derive(slot.key, salt) : random.next(32);
  return Buffer.concat([
    numbers,
    salt,
    nonce,
    seal(key, nonce, dataKey, Buffer.concat([Buffer.from('holdfast/1 slot'), id])),
  ]);
}

function derive(passphrase: string, salt: Buffer): Buffer {
  const message = Buffer.from(passphrase.normalize('NFC'));
  return argon2Sync('argon2id', { message, nonce: salt, memory: 65_536, passes: 3, parallelism: 4, tagLength: 32 });
}

/** Section 5. */
function makeHeader(specification: Specification, id: Buffer, dataKey: Buffer, random: SeededBytes): Buffer {
  const createdMs = specification.createdMs ?? 1_700_000_000_000;
  const slots = (specification.slots ?? []).map((slot) => slotBytes(slot, id, dataKey, random, createdMs));
  const header = Buffer.concat([Buffer.alloc(56), ...slots, Buffer.alloc(32)]);
  header.write('HOLDFAST', 0, 'latin1');
  header.writeUInt16LE(1, 8);
  id.copy(header, 12);
  u64(createdMs).copy(header, 28);
  header[36] = slots.length > 0 ? 1 : 0;
  header[37] = codecNumbers[specification.codec ?? 'none'];
  header[38] = specification.copies ?? 1;
  header[39] = specification.dataBlocks ?? 10;
  header[40] = specification.parityBlocks ?? 2;
  header.writeUInt32LE(specification.segmentSize ?? 1_048_576, 44);
  header.writeUInt16LE(header.length, 48);
  header.writeUInt16LE(slots.length, 50);
  header.writeUInt32LE(specification.generation ?? 0, 52);
  specification.bends?.header?.(header);
  const authenticated = header.subarray(0, header.length - 32);
  const code =
    header[36] === 0
      ? sha256(authenticated)
      : createHmac('sha256', hkdf(dataKey, id, 'holdfast/1 header'))
          .update(authenticated)
          .digest();
  code.copy(header, header.length - 32);
  specification.bends?.code?.(header);
  return header;
}

/** Section 6: entries to sealed segments, index parts and tail. */
class SealedStream {
  readonly segments: Buffer[] = [];
  readonly #specification: Specification;
  readonly #segmentKey: Buffer;
  readonly #header: Buffer;
  readonly #codec: CodecName;
  #open: Buffer = Buffer.alloc(0);
  #sizes: [number, number][] = [];
  #firstSegment = 0;
  #finished: string[] = [];
  #parts = 0;
  #previous: { segment: number; offset: number; length: number } | null = null;
  #length = 0;

  constructor(specification: Specification, dataKey: Buffer, header: Buffer) {
    this.#specification = specification;
    this.#header = header;
    this.#codec = specification.codec ?? 'none';
    this.#segmentKey = hkdf(dataKey, header.subarray(12, 28), 'holdfast/1 segment');
  }

  #seal(bytes: Buffer, kind: number): Buffer {
    const number = this.segments.length;
    const bent = this.#specification.bends?.sealAs?.(number);
    const associated = Buffer.concat([
      sha256(bent?.fixedPart ?? this.#header.subarray(0, 48)),
      u64(bent?.number ?? number),
      Buffer.from([bent?.kind ?? kind]),
    ]);
    if (this.#header[36] === 0) return Buffer.concat([bytes, sha256(associated, bytes).subarray(0, 16)]);
    const nonce = Buffer.concat([Buffer.alloc(4), u64(bent?.number ?? number)]);
    return seal(this.#segmentKey, nonce, bytes, associated);
  }

  #push(plain: Buffer, kind: number): Buffer {
    const number = this.segments.length;
    const packed = member(this.#codec, plain);
    const sealed = this.#seal(this.#specification.bends?.member?.(number, packed) ?? packed, kind);
    this.segments.push(sealed);
    this.#length += sealed.length;
    return sealed;
  }

  #closeSegment(): void {
    const number = this.segments.length;
    const plain = this.#open;
    this.#open = Buffer.alloc(0);
    const sealed = this.#push(plain, 0);
    this.#sizes.push([this.#specification.bends?.statedPlain?.(number, plain.length) ?? plain.length, sealed.length]);
    if (this.#sizes.length === this.#specification.indexEverySegments) this.#writeIndexPart();
  }

  #writeIndexPart(): void {
    const first = JSON.stringify({
      part: this.#parts,
      previous: this.#previous,
      firstSegment: this.#firstSegment,
      segments: this.#sizes,
    });
    const lines = [first, ...this.#finished];
    const bent = this.#specification.bends?.index?.(this.#parts, lines) ?? lines;
    const place = { segment: this.segments.length, offset: this.#length };
    const sealed = this.#push(Buffer.from(bent.map((line) => `${line}\n`).join('')), 1);
    this.#previous = { ...place, length: sealed.length };
    this.#firstSegment = this.segments.length;
    this.#sizes = [];
    this.#finished = [];
    this.#parts++;
  }

  /** Appends bytes of an entry and returns their run. */
  append(bytes: Buffer): [number, number, number] {
    const segmentSize = this.#specification.segmentSize ?? 1_048_576;
    if (this.#open.length === segmentSize) this.#closeSegment();
    const run: [number, number, number] = [this.segments.length, this.#open.length, bytes.length];
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#open.length === segmentSize) this.#closeSegment();
      const taken = rest.subarray(0, segmentSize - this.#open.length);
      this.#open = Buffer.concat([this.#open, taken]);
      rest = rest.subarray(taken.length);
    }
    return run;
  }

  finish(entry: ReferenceEntry, runs: [number, number, number][]): void {
    const line = {
      path: entry.path,
      ...(entry.pathBytes === undefined ? {} : { pathBytes: entry.pathBytes.toString('base64') }),
      kind: entry.kind,
      size: entry.bytes.length,
      sha256: sha256(entry.bytes).toString('hex'),
      runs,
      metadata: entry.metadata ?? { mode: 0o644, mtimeNs: '1700000000000000000', uid: 0, gid: 0 },
    };
    this.#finished.push(JSON.stringify(line));
  }

  /** Ends the stream; the last 96 bytes of the last payload are the tail. */
  end(): Buffer {
    if (this.#open.length > 0) this.#closeSegment();
    if (this.#parts === 0 || this.#sizes.length > 0 || this.#finished.length > 0) this.#writeIndexPart();
    const { entries, bends } = this.#specification;
    const last = this.#previous ?? { segment: 0, offset: 0, length: 0 };
    const number = this.segments.length;
    const tail = Buffer.alloc(72);
    const total = entries.reduce((sum, entry) => sum + entry.bytes.length, 0);
    const numbers = [number, this.#length, total, entries.length, last.segment, last.offset];
    for (const [index, value] of numbers.entries()) u64(value).copy(tail, index * 8);
    tail.writeUInt32LE(last.length, 48);
    tail.writeUInt32LE(this.#parts, 52);
    bends?.tail?.(tail);
    const sealedTail = this.#seal(tail, 2);
    bends?.sealed?.(this.segments);
    const body = Buffer.concat(this.segments);
    const zeros = Buffer.alloc((payloadSize - ((body.length + 96) % payloadSize)) % payloadSize);
    return Buffer.concat([body, zeros, u64(bends?.tailNumber?.(number) ?? number), sealedTail]);
  }
}

function writeEntries(specification: Specification, stream: SealedStream): void {
  const { entries } = specification;
  const order = specification.order ?? entries.map((entry, index) => [index, entry.bytes.length] as const);
  const done = entries.map(() => 0);
  const runs: [number, number, number][][] = entries.map(() => []);
  for (const [index, length] of order) {
    const entry = entries[index]!;
    const from = done[index]!;
    if (length > 0) runs[index]!.push(stream.append(entry.bytes.subarray(from, from + length)));
    done[index] = from + length;
    if (done[index] === entry.bytes.length) stream.finish(entry, runs[index]!);
  }
}

/** Sections 2 to 4: the blocks of one copy. */
function makeBlocks(stream: Buffer, header: Buffer, K: number, M: number): { blocks: Buffer[]; geometry: Geometry } {
  const id = header.subarray(12, 28);
  const geometry = geometryOf(stream.length / payloadSize, K, M);
  const blocks: Buffer[] = [];
  let next = 0;
  for (const { dataBlocks, stripes, parityRows } of geometry.bands) {
    for (let ordinal = 0; ordinal < 3; ordinal++) {
      blocks.push(makeBlock({ id, position: blocks.length, kind: 0, ordinal }, header));
    }
    const data: Buffer[] = [];
    for (let index = 0; index < dataBlocks; index++) {
      const payload = stream.subarray(next * payloadSize, ++next * payloadSize);
      data.push(makeBlock({ id, position: blocks.length, kind: 1 }, payload));
      blocks.push(data[index]!);
    }
    const parity: Buffer[][] = [];
    for (let stripe = 0; stripe < stripes; stripe++) {
      const bodies = data.filter((_, index) => index % stripes === stripe).map((block) => block.subarray(32, 4080));
      parity.push(parityOf(bodies, parityRows));
    }
    for (let q = 0; q < stripes * parityRows; q++) {
      const ordinal = Math.floor(q / stripes);
      const body = parity[q % stripes]![ordinal]!;
      blocks.push(makeBlock({ id, position: blocks.length, bandSize: dataBlocks, kind: 2, ordinal }, body));
    }
  }
  const bandSize = geometry.bands.at(-1)!.dataBlocks;
  for (let ordinal = 0; ordinal < 3; ordinal++) {
    blocks.push(makeBlock({ id, position: blocks.length, bandSize, kind: 3, ordinal }, header));
  }
  return { blocks, geometry };
}

/** Writes an archive as docs/format.md says, but for the bends. */
export function writeArchive(specification: Specification): Written {
  const random = new SeededBytes(specification.seed);
  const id = random.next(16);
  const dataKey = random.next(32);
  const header = makeHeader(specification, id, dataKey, random);
  const stream = new SealedStream(specification, dataKey, header);
  writeEntries(specification, stream);
  const bytes = stream.end();
  const { blocks, geometry } = makeBlocks(
    bytes,
    header,
    specification.dataBlocks ?? 10,
    specification.parityBlocks ?? 2,
  );
  specification.bends?.blocks?.(blocks, geometry);
  const copy = Buffer.concat(blocks);
  const parts: Buffer[] = [copy];
  for (let index = 1; index < (specification.copies ?? 1); index++) {
    parts.push(Buffer.alloc(specification.fillerBytes ?? 0), copy);
  }
  const entries = specification.entries.map((entry) => ({
    path: entry.path,
    kind: entry.kind,
    sizeBytes: entry.bytes.length,
    sha256: sha256(entry.bytes).toString('hex'),
  }));
  const fixedPart = Buffer.from(header.subarray(0, 48));
  return { file: Buffer.concat(parts), id, geometry, entries, blocks, sealed: stream.segments, fixedPart };
}
