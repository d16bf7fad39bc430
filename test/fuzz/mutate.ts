import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { hashBlock } from '../../vectors/reference-writer.ts';

/** Mutations of archives, as data, so that one that fails can be shrunk and printed. Places are fractions of what there is. */
export type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly change: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'copy'; readonly from: number; readonly length: number; readonly to: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'move block'; readonly from: number; readonly to: number }
  /** A field of a block, or of the header in it, whose hashes are then made right. */
  | {
      readonly kind: 'field';
      readonly block: number;
      readonly field: number;
      readonly value: bigint;
      readonly all: boolean;
    }
  /** Bytes of a payload; with cipher none its segment is sealed anew where it stands alone at the block's start. */
  | {
      readonly kind: 'payload';
      readonly block: number;
      readonly at: number;
      readonly bytes: Uint8Array;
      readonly all: boolean;
    }
  /** Text of an index that stands in clear, of the same length; index parts are then sealed anew. */
  | { readonly kind: 'number'; readonly which: number; readonly digits: string };

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const extreme = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 127n, 128n, 255n, 256n, 65_535n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 47n, 2n ** 48n - 1n),
  fc.constantFrom(2n ** 48n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);

function record<Value>(model: { [Key in keyof Value]: fc.Arbitrary<Value[Key]> }): fc.Arbitrary<Value> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<Value>;
}

/** Fields as [offset in the block, size]. */
const fields: readonly (readonly [number, number])[] = [
  [0, 8],
  [16, 8],
  [20, 4],
  [24, 4],
  [28, 1],
  [29, 1],
  [30, 2],
  // The header: magic, version, reserved, id, created, cipher, codec, copies, K, M, segment size, length, slots, generation.
  ...(
    [
      [0, 8],
      [8, 2],
      [10, 2],
      [12, 8],
      [28, 8],
      [36, 1],
      [37, 1],
      [38, 1],
      [39, 1],
      [40, 1],
      [44, 4],
      [48, 2],
      [50, 2],
      [52, 4],
    ] as const
  ).map(([offset, size]) => [32 + offset, size] as const),
  // A slot: type, label length, body length, id, created.
  ...(
    [
      [56, 1],
      [57, 1],
      [58, 2],
      [60, 4],
      [64, 8],
    ] as const
  ).map(([offset, size]) => [32 + offset, size] as const),
  // The tail, in the last 96 bytes of a payload: number, and its first fields where they are not encrypted.
  ...[0, 8, 16, 24, 32, 40, 48].map((offset) => [32 + 4032 - 96 + offset, 8] as const),
  [32 + 4032 - 96 + 56, 4],
  [32 + 4032 - 96 + 60, 4],
];

export const mutations: fc.Arbitrary<Mutation> = fc.oneof(
  {
    weight: 3,
    arbitrary: record<Mutation>({ kind: fc.constant('flip'), at: place, change: fc.integer({ min: 1, max: 255 }) }),
  },
  record<Mutation>({ kind: fc.constant('cut'), at: place }),
  record<Mutation>({ kind: fc.constant('remove'), at: place, length: fc.integer({ min: 1, max: 20_000 }) }),
  record<Mutation>({ kind: fc.constant('copy'), from: place, length: fc.integer({ min: 1, max: 60_000 }), to: place }),
  record<Mutation>({ kind: fc.constant('insert'), at: place, bytes: fc.uint8Array({ maxLength: 100 }) }),
  record<Mutation>({ kind: fc.constant('move block'), from: place, to: place }),
  {
    weight: 6,
    arbitrary: record<Mutation>({
      kind: fc.constant('field'),
      block: place,
      field: fc.nat(fields.length - 1),
      value: extreme,
      all: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: record<Mutation>({
      kind: fc.constant('payload'),
      block: place,
      at: place,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
      all: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: record<Mutation>({
      kind: fc.constant('number'),
      which: place,
      digits: fc.oneof(
        fc.stringMatching(/^[0-9]{1,16}$/),
        fc.constantFrom('-1', '1e308', '0.5', 'null', '[]', '""', '9007199254740991'),
      ),
    }),
  },
) as fc.Arbitrary<Mutation>;

const blockSize = 4096;

function index(bytes: Uint8Array, at: number): number {
  return Math.floor(at * bytes.length);
}

function blockAt(bytes: Buffer, at: number): Buffer | undefined {
  const blocks = Math.floor(bytes.length / blockSize);
  const start = Math.floor(at * blocks) * blockSize;
  return blocks === 0 ? undefined : bytes.subarray(start, start + blockSize);
}

/** Blocks with the position and kind of this one: those of the other copies, or it alone. */
function alike(bytes: Buffer, block: Buffer, all: boolean): Buffer[] {
  if (!all) return [block];
  const frame = Buffer.from(block.subarray(0, 30));
  const found: Buffer[] = [];
  for (let start = 0; start + blockSize <= bytes.length; start += blockSize) {
    const other = bytes.subarray(start, start + blockSize);
    // Header blocks are alike whatever their position.
    const isHeader = frame[28] !== 1 && frame[28] !== 2 && other[28] === frame[28];
    if (isHeader || other.subarray(0, 30).equals(frame)) found.push(other);
  }
  return found;
}

function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** With cipher none a header's code is a digest, which anyone can make right. */
function codeHeader(block: Buffer): void {
  const header = block.subarray(32, 4080);
  const length = header.readUInt16LE(48);
  if (header[36] !== 0 || length < 88 || length > header.length) return;
  sha256(header.subarray(0, length - 32)).copy(header, length - 32);
}

/** With cipher none the tail's digest too; the fixed part is taken from the file's first block. */
function sealTail(bytes: Buffer, block: Buffer): void {
  const record = block.subarray(32 + 4032 - 96, 32 + 4032);
  const associated = Buffer.concat([sha256(bytes.subarray(32, 80)), record.subarray(0, 8), Buffer.from([2])]);
  sha256(associated, record.subarray(8, 80)).copy(record, 80, 0, 16);
}

function setField(bytes: Buffer, mutation: Mutation & { kind: 'field' }): void {
  const first = blockAt(bytes, mutation.block);
  const [offset, size] = fields[mutation.field] ?? [0, 1];
  if (first === undefined) return;
  for (const block of alike(bytes, first, mutation.all)) {
    const value = Buffer.alloc(8);
    value.writeBigUInt64LE(BigInt.asUintN(64, mutation.value));
    value.copy(block, offset, 0, size);
    if (block[28] === 0 || block[28] === 3) codeHeader(block);
    if (block[28] === 1 && bytes[68] === 0 && offset >= 32 + 4032 - 96) sealTail(bytes, block);
    hashBlock(block);
  }
}

function setPayload(bytes: Buffer, mutation: Mutation & { kind: 'payload' }): void {
  const first = blockAt(bytes, mutation.block);
  if (first === undefined) return;
  for (const block of alike(bytes, first, mutation.all)) {
    block.set(mutation.bytes.subarray(0, 40), 32 + Math.floor(mutation.at * 3990));
    hashBlock(block);
  }
}

/** Replaces a number of an index that stands in clear: padded with spaces to the same length, sealed anew. */
function setNumber(bytes: Buffer, mutation: Mutation & { kind: 'number' }): void {
  for (let start = 0; start + blockSize <= bytes.length; start += blockSize) {
    const block = bytes.subarray(start, start + blockSize);
    if (block[28] !== 1 || bytes[68] !== 0) continue;
    const payload = block.subarray(32, 32 + 4032);
    const from = payload.indexOf('{"part":');
    const tail = payload.subarray(4032 - 96);
    const number = tail.readBigUInt64LE(40);
    const length = tail.readUInt32LE(56);
    // Only an index part that lies whole in the block of the tail.
    if (from < 0 || from + length > 4032 - 96) continue;
    const part = payload.subarray(from, from + length - 16);
    const numbers = [...part.toString('latin1').matchAll(/[0-9]+/g)];
    const chosen = numbers[Math.floor(mutation.which * numbers.length)];
    if (chosen === undefined) continue;
    const text = `${part.toString('latin1', 0, chosen.index)}${mutation.digits}${part.toString('latin1', chosen.index + chosen[0].length)}`;
    // Room is taken from, or given to, the number that is replaced; what is too long is left as it is.
    const padded =
      text.length > part.length ? text.replace(/"metadata":\{[^}]*\}/, '"metadata":{}') : text.padEnd(part.length, ' ');
    if (padded.length > part.length) continue;
    part.write(padded.replace(/\n( *)$/, '$1\n'), 'latin1');
    const numberBytes = Buffer.alloc(8);
    numberBytes.writeBigUInt64LE(number);
    const associated = Buffer.concat([sha256(bytes.subarray(32, 80)), numberBytes, Buffer.from([1])]);
    sha256(associated, part).copy(payload, from + part.length, 0, 16);
    hashBlock(block);
  }
}

/** What mutations make of an archive. */
export function mutate(original: Uint8Array, list: readonly Mutation[]): Uint8Array<ArrayBuffer> {
  let bytes = Buffer.from(original);
  for (const mutation of list) {
    switch (mutation.kind) {
      case 'flip':
        if (bytes.length > 0) bytes[index(bytes, mutation.at)]! ^= mutation.change;
        break;
      case 'cut':
        bytes = bytes.subarray(0, index(bytes, mutation.at));
        break;
      case 'remove': {
        const at = index(bytes, mutation.at);
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + mutation.length)]);
        break;
      }
      case 'copy': {
        const from = index(bytes, mutation.from);
        const to = index(bytes, mutation.to);
        const piece = bytes.subarray(from, from + mutation.length);
        bytes = Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]);
        break;
      }
      case 'insert': {
        const at = index(bytes, mutation.at);
        bytes = Buffer.concat([bytes.subarray(0, at), mutation.bytes, bytes.subarray(at)]);
        break;
      }
      case 'move block': {
        const piece = Buffer.from(blockAt(bytes, mutation.from) ?? []);
        blockAt(bytes, mutation.to)?.set(piece);
        break;
      }
      case 'field':
        setField(bytes, mutation);
        break;
      case 'payload':
        setPayload(bytes, mutation);
        break;
      case 'number':
        setNumber(bytes, mutation);
        break;
    }
  }
  return new Uint8Array(bytes);
}
