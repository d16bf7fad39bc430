import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { HoldfastError } from '../../errors.ts';
import { freeMemory } from '../worker/free-memory.ts';

/** Sealing of segments: `docs/format.md` section 6. */

export const segmentKind = { data: 0, index: 1, tail: 2 } as const;
export type SegmentKind = (typeof segmentKind)[keyof typeof segmentKind];
export const tagSizeBytes = 16;
/** Room that a sealed segment may need beyond its plain bytes. */
export const sealedOverheadBytes = 65_536;

/** What a segment is sealed with; the key is undefined where the cipher is none. */
export interface SegmentSeal {
  readonly key: Uint8Array | undefined;
  /** `SHA256(fixed part)` of the header. */
  readonly fixedDigest: Uint8Array;
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(BigInt(number), 4);
  return nonce;
}

function associatedData(seal: SegmentSeal, number: number, kind: SegmentKind): Buffer {
  const bytes = Buffer.alloc(seal.fixedDigest.length + 9);
  bytes.set(seal.fixedDigest, 0);
  bytes.writeBigUInt64LE(BigInt(number), seal.fixedDigest.length);
  bytes[bytes.length - 1] = kind;
  return bytes;
}

function plainDigest(associated: Uint8Array, bytes: Uint8Array): Buffer {
  return createHash('sha256').update(associated).update(bytes).digest().subarray(0, tagSizeBytes);
}

/** Seals `bytes` into `into` and returns the sealed length, `bytes.length + 16`. */
export function sealSegment(
  seal: SegmentSeal,
  segment: { readonly number: number; readonly kind: SegmentKind; readonly bytes: Uint8Array },
  into: Uint8Array,
): number {
  const { number, kind, bytes } = segment;
  const associated = associatedData(seal, number, kind);
  if (seal.key === undefined) {
    into.set(bytes, 0);
    into.set(plainDigest(associated, bytes), bytes.length);
  } else {
    const cipher = createCipheriv('aes-256-gcm', seal.key, nonceOf(number));
    cipher.setAAD(associated);
    const sealed = cipher.update(bytes);
    // To where it is not aligned in shared memory `set` would go byte by byte.
    sealed.copy(into);
    freeMemory(sealed);
    cipher.final();
    into.set(cipher.getAuthTag(), bytes.length);
  }
  return bytes.length + tagSizeBytes;
}

/** Opens a sealed segment; throws `archive.damaged` where its tag is wrong. */
export function openSegment(
  seal: SegmentSeal,
  segment: { readonly number: number; readonly kind: SegmentKind; readonly bytes: Uint8Array },
): Buffer {
  const { number, kind, bytes } = segment;
  const refuse = (cause?: unknown) =>
    new HoldfastError('archive.damaged', {
      message: `segment ${number} does not authenticate: it was altered, and the blocks that hold it were made to fit`,
      context: { segment: number },
      cause,
    });
  if (bytes.length < tagSizeBytes) throw refuse();
  const associated = associatedData(seal, number, kind);
  const content = bytes.subarray(0, bytes.length - tagSizeBytes);
  const tag = bytes.subarray(bytes.length - tagSizeBytes);
  if (seal.key === undefined) {
    if (plainDigest(associated, content).compare(tag) !== 0) throw refuse();
    return Buffer.from(content);
  }
  const decipher = createDecipheriv('aes-256-gcm', seal.key, nonceOf(number));
  decipher.setAAD(associated);
  decipher.setAuthTag(tag);
  const opened = decipher.update(content);
  try {
    decipher.final();
  } catch (cause) {
    throw refuse(cause);
  }
  return opened;
}
