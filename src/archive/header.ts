import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { asBuffer } from '../bytes.ts';
import { HoldfastError } from '../errors.ts';
import { archiveIdSizeBytes } from './heal/block.ts';
import { bodySizeBytes, type StripeShape } from './heal/geometry.ts';

/** The header byte by byte: `docs/format.md` section 5. */

/** How segments are compressed. `bz2` and `xz` need the programs bzip2 and xz. */
export type Codec = 'zstd' | 'gzip' | 'bz2' | 'xz' | 'none';
export type Cipher = 'aes-256-gcm' | 'none';

export const formatVersion = 1;
export const headerMagic = Buffer.from('HOLDFAST', 'ascii');
export const maximumSegmentSizeBytes = 16 * 1024 * 1024;
export const maximumSlots = 16;
const maximumCopies = 8;
const fixedSizeBytes = 48;
const slotsOffset = 56;
const slotFixedSizeBytes = 16;
const codeSizeBytes = 32;
const maximumLabelBytes = 64;
const codecs: readonly Codec[] = ['none', 'zstd', 'gzip', 'bz2', 'xz'];
const ciphers: readonly Cipher[] = ['none', 'aes-256-gcm'];

export const slotType = { passphrase: 1, age: 2 } as const;

/** A wrapped data key; `body` is read by the module of its type. */
export interface Slot {
  readonly type: number;
  readonly id: Uint8Array;
  readonly createdMs: number;
  readonly label: string;
  readonly body: Uint8Array;
}

export interface Header extends StripeShape {
  readonly archiveId: Uint8Array;
  readonly createdMs: number;
  readonly cipher: Cipher;
  readonly codec: Codec;
  readonly copies: number;
  readonly segmentSizeBytes: number;
  readonly generation: number;
  readonly slots: readonly Slot[];
  /** The fixed part as it was read: what was read is bound to these bytes. */
  readonly fixedPart?: Uint8Array;
}

function corrupt(what: string): HoldfastError {
  return new HoldfastError('archive.corrupt', { message: `the header is not valid: ${what}` });
}

function require(condition: boolean, what: string): void {
  if (!condition) throw corrupt(what);
}

/** The fixed part, which never changes in an archive's life. */
export function encodeFixedPart(header: Header): Buffer {
  if (header.fixedPart !== undefined) return Buffer.from(header.fixedPart);
  const bytes = Buffer.alloc(fixedSizeBytes);
  headerMagic.copy(bytes, 0);
  bytes.writeUInt16LE(formatVersion, 8);
  bytes.set(header.archiveId, 12);
  bytes.writeBigUInt64LE(BigInt(header.createdMs), 28);
  bytes[36] = ciphers.indexOf(header.cipher);
  bytes[37] = codecs.indexOf(header.codec);
  bytes[38] = header.copies;
  bytes[39] = header.dataBlocks;
  bytes[40] = header.parityBlocks;
  bytes.writeUInt32LE(header.segmentSizeBytes, 44);
  return bytes;
}

/** `SHA256(fixed part)`, which every segment is bound to. */
export function fixedPartDigest(header: Header): Buffer {
  return createHash('sha256').update(encodeFixedPart(header)).digest();
}

function encodeSlot(slot: Slot): Buffer {
  const label = Buffer.from(slot.label, 'utf8');
  if (label.length > maximumLabelBytes) {
    throw new HoldfastError('key.invalid', { message: `a label has at most ${maximumLabelBytes} bytes` });
  }
  const bytes = Buffer.alloc(slotFixedSizeBytes);
  bytes[0] = slot.type;
  bytes[1] = label.length;
  bytes.writeUInt16LE(slot.body.length, 2);
  bytes.set(slot.id, 4);
  bytes.writeBigUInt64LE(BigInt(slot.createdMs), 8);
  return Buffer.concat([bytes, label, slot.body]);
}

/** The code at a header's end; `macKey` is undefined where the cipher is none. */
function authenticationCode(bytes: Uint8Array, macKey: Uint8Array | undefined): Buffer {
  if (macKey === undefined) return createHash('sha256').update(bytes).digest();
  return createHmac('sha256', macKey).update(bytes).digest();
}

/** The whole header with its code. Throws `key.slots_full` where it does not fit a block. */
export function encodeHeader(header: Header, macKey: Uint8Array | undefined): Buffer {
  const slots = Buffer.concat(header.slots.map(encodeSlot));
  const length = slotsOffset + slots.length + codeSizeBytes;
  if (length > bodySizeBytes || header.slots.length > maximumSlots) throw new HoldfastError('key.slots_full');
  const variable = Buffer.alloc(slotsOffset - fixedSizeBytes);
  variable.writeUInt16LE(length, 0);
  variable.writeUInt16LE(header.slots.length, 2);
  variable.writeUInt32LE(header.generation, 4);
  const bytes = Buffer.concat([encodeFixedPart(header), variable, slots]);
  return Buffer.concat([bytes, authenticationCode(bytes, macKey)]);
}

function decodeSlots(bytes: Buffer, start: number, end: number, count: number): Slot[] {
  const slots: Slot[] = [];
  let offset = start;
  for (let index = 0; index < count; index++) {
    require(offset + slotFixedSizeBytes <= end, 'a slot leaves the header');
    const labelLength = bytes[offset + 1] ?? 0;
    const bodyLength = bytes.readUInt16LE(offset + 2);
    const bodyStart = offset + slotFixedSizeBytes + labelLength;
    require(labelLength <= maximumLabelBytes && bodyStart + bodyLength <= end, 'a slot leaves the header');
    const createdMs = Number(bytes.readBigUInt64LE(offset + 8));
    slots.push({
      type: bytes[offset] ?? 0,
      id: Uint8Array.from(bytes.subarray(offset + 4, offset + 8)),
      createdMs,
      label: bytes.toString('utf8', offset + slotFixedSizeBytes, bodyStart),
      body: Uint8Array.from(bytes.subarray(bodyStart, bodyStart + bodyLength)),
    });
    offset = bodyStart + bodyLength;
  }
  require(offset === end, 'bytes stand behind the slots');
  const ids = new Set(slots.map((slot) => asBuffer(slot.id).toString('hex')));
  require(ids.size === slots.length, 'two slots have the same id');
  return slots;
}

/** Length of the header at the start of `bytes`, or 0 where it cannot be one. */
export function headerLength(bytes: Uint8Array): number {
  const length = bytes.length < slotsOffset ? 0 : asBuffer(bytes).readUInt16LE(48);
  return length >= slotsOffset + codeSizeBytes && length <= Math.min(bytes.length, bodySizeBytes) ? length : 0;
}

/**
 * Reads a header without checking its code.
 * Throws `archive.not_an_archive`, `archive.version_unsupported`, `archive.corrupt`.
 */
export function decodeHeader(input: Uint8Array): Header {
  const bytes = asBuffer(input);
  if (bytes.length < slotsOffset || bytes.compare(headerMagic, 0, headerMagic.length, 0, headerMagic.length) !== 0) {
    throw new HoldfastError('archive.not_an_archive');
  }
  const version = bytes.readUInt16LE(8);
  if (version !== formatVersion) {
    throw new HoldfastError('archive.version_unsupported', {
      message: `this archive has format version ${version}; this Holdfast reads version ${formatVersion}`,
      context: { version },
    });
  }
  const cipher = ciphers[bytes[36] ?? 255];
  const codec = codecs[bytes[37] ?? 255];
  const copies = bytes[38] ?? 0;
  const dataBlocks = bytes[39] ?? 0;
  const parityBlocks = bytes[40] ?? 0;
  const segmentSizeBytes = bytes.readUInt32LE(44);
  const slotCount = bytes.readUInt16LE(50);
  const length = headerLength(bytes);
  if (cipher === undefined) throw corrupt('unknown cipher');
  if (codec === undefined) throw corrupt('unknown codec');
  require(bytes.readUInt16LE(10) === 0 && bytes.readUIntLE(41, 3) === 0, 'reserved bytes are set');
  require(copies >= 1 && copies <= maximumCopies, 'number of copies');
  require(dataBlocks >= 1 && parityBlocks >= 2 && parityBlocks <= 64, 'stripe shape');
  require(dataBlocks + parityBlocks <= 255, 'stripe shape');
  require(segmentSizeBytes >= 1 && segmentSizeBytes <= maximumSegmentSizeBytes, 'segment size');
  require(length > 0, 'length');
  require(slotCount <= maximumSlots && (cipher === 'none') === (slotCount === 0), 'number of key slots');
  return {
    archiveId: Uint8Array.from(bytes.subarray(12, 12 + archiveIdSizeBytes)),
    createdMs: Number(bytes.readBigUInt64LE(28)),
    cipher,
    codec,
    copies,
    dataBlocks,
    parityBlocks,
    segmentSizeBytes,
    generation: bytes.readUInt32LE(52),
    fixedPart: Uint8Array.from(bytes.subarray(0, fixedSizeBytes)),
    slots: decodeSlots(bytes, slotsOffset, length - codeSizeBytes, slotCount),
  };
}

/** Checks the code of an encoded header. Throws `archive.corrupt`. */
export function checkHeaderCode(input: Uint8Array, macKey: Uint8Array | undefined): void {
  const length = headerLength(input);
  require(length > 0, 'length');
  const body = input.subarray(0, length - codeSizeBytes);
  const code = input.subarray(length - codeSizeBytes, length);
  require(timingSafeEqual(authenticationCode(body, macKey), code), 'its authentication code is wrong');
}
