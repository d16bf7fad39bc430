/**
 * Gives the memory of a chunk back at once, when its bytes were taken: hundreds of megabytes that go through would else be collected again and
 * again, which takes longer than reading them. A chunk that shares its memory with others is left alone.
 */
export function releaseMemory(chunk: Buffer): void {
  const { buffer, byteOffset, byteLength } = chunk;
  if (buffer instanceof ArrayBuffer && byteOffset === 0 && byteLength === buffer.byteLength) buffer.transfer(0);
}
