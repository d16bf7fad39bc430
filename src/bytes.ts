import assert from 'node:assert/strict';

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Copies bytes between any two memories. Where one is shared, `set` would go word by word, many times slower. */
export function copyBytes(source: Uint8Array, target: Uint8Array, targetOffset: number): void {
  assert(source.length <= target.length - targetOffset, 'the target has room');
  asBuffer(source).copy(asBuffer(target), targetOffset);
}
