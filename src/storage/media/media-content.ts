import { HoldfastError } from '../../errors.ts';

/**
 * What is saved: bytes, text (as UTF-8), a `Blob` or `File`, or a stream: of Node, of the web, or any other sequence of chunks. A stream that
 * fails ends the saving, and nothing is kept.
 */
export type MediaContent = Uint8Array | string | Blob | AsyncIterable<Uint8Array | string>;

/** Up to here (exclusive) a stream is held in memory, so that it can be sent again. */
export const heldBytes = 5 * 2 ** 20;

/** Content on its way. */
export interface ReadyContent {
  /** Known where the content is at hand, and can be read again: a stream that is too long for that has none. */
  readonly sizeBytes?: number;
  /** From the start; of a stream without a size once. */
  open(): AsyncIterable<Uint8Array>;
  /** Ends the stream, read or not. May be repeated. */
  close(): Promise<void>;
}

const nothingToClose = async () => undefined;

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === 'string') return new TextEncoder().encode(chunk);
  throw new HoldfastError('usage.invalid', {
    message: `content comes as bytes or as text, not as ${typeof chunk}`,
    hint: 'give a stream of bytes: one in object mode is none',
  });
}

/** Reads the beginning of a stream, to find out whether it is short. */
export async function readyContent(content: MediaContent): Promise<ReadyContent> {
  if (content instanceof Uint8Array || typeof content === 'string') {
    const bytes = bytesOf(content);
    return { sizeBytes: bytes.length, open: () => one(bytes), close: nothingToClose };
  }
  if (content instanceof Blob) return { sizeBytes: content.size, open: () => content.stream(), close: nothingToClose };
  const chunks = content[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let sizeBytes = 0;
  while (sizeBytes < heldBytes) {
    const { done, value } = await chunks.next();
    if (done === true) {
      const bytes = Buffer.concat(held);
      return { sizeBytes, open: () => one(bytes), close: nothingToClose };
    }
    // A copy: its maker may use the memory again.
    const bytes = new Uint8Array(bytesOf(value));
    held.push(bytes);
    sizeBytes += bytes.length;
  }
  return { open: () => rest(held, chunks), close: async () => void (await chunks.return?.()) };
}

async function* rest(
  held: Uint8Array[],
  chunks: AsyncIterator<Uint8Array | string, unknown>,
): AsyncGenerator<Uint8Array> {
  for (let bytes = held.shift(); bytes !== undefined; bytes = held.shift()) yield bytes;
  for (;;) {
    const { done, value } = await chunks.next();
    if (done === true) return;
    yield bytesOf(value);
  }
}
