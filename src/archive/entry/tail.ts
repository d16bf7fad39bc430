import { asBuffer } from '../../bytes.ts';
import { HoldfastError } from '../../errors.ts';
import { tagSizeBytes } from '../seal/segment-cipher.ts';
import type { IndexPartPlace } from './entry.ts';

/** The tail of the sealed stream: `docs/format.md` section 6. */
export interface Tail {
  readonly segmentCount: number;
  /** Length of all segments before the tail. */
  readonly sealedBytes: number;
  readonly plainBytes: number;
  readonly entryCount: number;
  readonly lastIndexPart: IndexPartPlace;
  readonly indexPartCount: number;
}

const plainSizeBytes = 72;
/** The tail with its number before it and its tag behind it. */
export const tailRecordSizeBytes = 8 + plainSizeBytes + tagSizeBytes;

export function encodeTail(tail: Tail): Buffer {
  const bytes = Buffer.alloc(plainSizeBytes);
  const numbers = [
    tail.segmentCount,
    tail.sealedBytes,
    tail.plainBytes,
    tail.entryCount,
    tail.lastIndexPart.segment,
    tail.lastIndexPart.offset,
  ];
  for (const [index, value] of numbers.entries()) bytes.writeBigUInt64LE(BigInt(value), index * 8);
  bytes.writeUInt32LE(tail.lastIndexPart.length, 48);
  bytes.writeUInt32LE(tail.indexPartCount, 52);
  return bytes;
}

export function decodeTail(input: Uint8Array): Tail {
  const bytes = asBuffer(input);
  const number = (offset: number) => {
    const value = bytes.readBigUInt64LE(offset);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse('a number is too large');
    return Number(value);
  };
  if (bytes.length !== plainSizeBytes) throw refuse('its length');
  if (!bytes.subarray(56).equals(Buffer.alloc(16))) throw refuse('reserved bytes are set');
  const tail: Tail = {
    segmentCount: number(0),
    sealedBytes: number(8),
    plainBytes: number(16),
    entryCount: number(24),
    lastIndexPart: { segment: number(32), offset: number(40), length: bytes.readUInt32LE(48) },
    indexPartCount: bytes.readUInt32LE(52),
  };
  const { segment, offset, length } = tail.lastIndexPart;
  if (tail.indexPartCount < 1 || segment !== tail.segmentCount - 1)
    throw refuse('the last index part is not the last segment');
  if (offset + length !== tail.sealedBytes) throw refuse('the last index part does not end the segments');
  return tail;
}

function refuse(what: string): HoldfastError {
  return new HoldfastError('archive.corrupt', { message: `the tail is not valid: ${what}` });
}
