/**
 * Memory of what is received. Node makes two buffers of each 64 KiB: what came from the socket, and the part of it that is the answer's. Left to the
 * collector they pile up to 100 MiB; freed when they are done with, to nothing.
 */
import { IncomingMessage } from 'node:http';

/** Frees the memory of bytes that nobody looks at any more, where it is theirs alone. */
export function freeChunk(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0);
}

/** The chunks of a body, each freed when the next one is asked for. */
export async function* freedAfterUse(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk;
    freeChunk(chunk);
  }
}

/** Has what comes from the socket freed once it has been taken apart, until this answer is complete. */
export function freeReceived(body: unknown): void {
  if (!(body instanceof IncomingMessage)) return;
  const { socket } = body;
  const free = (received: Uint8Array): void => {
    // Only the last one that hears of it knows that all others are done.
    if (socket.listeners('data').at(-1) === free) freeChunk(received);
    // Within this very call: the next request on the socket listens behind.
    if (body.complete) socket.off('data', free);
  };
  socket.on('data', free);
}
