/** Smaller buffers may share their memory with others. */
const ownMemoryBytes = 256 * 1024;

/**
 * Gives a large buffer's memory back at once, where a collection would come too late: a worker makes megabytes of them in a
 * millisecond. The buffer is empty afterwards.
 */
export function freeMemory(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= ownMemoryBytes) buffer.transfer(0);
}
