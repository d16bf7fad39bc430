import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import { codecOfHead, type DumpCodec } from '../plain/codec-names.ts';
import { expanded } from '../plain/dump-codec.ts';
import { contentHeadBytes, contentOf, contentTailBytes, type DumpContent } from '../plain/dump-content.ts';
import { isOpenPgp, type MessageKeys, openMessage } from '../plain/openpgp-message.ts';
import type { RandomAccess } from '../storage/storage.ts';

const chunkBytes = 1024 * 1024;
const headBytes = 64;

/** The bytes of a file, from its start. Throws `archive.damaged` where it ends before its size. */
export async function* readAll(
  source: RandomAccess,
  signal?: AbortSignal,
  onChunk?: (chunk: Uint8Array, doneBytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < source.sizeBytes; ) {
    throwIfAborted(signal);
    const chunk = new Uint8Array(Math.min(chunkBytes, source.sizeBytes - offset));
    const length = await source.read(offset, chunk);
    if (length === 0) throw new HoldfastError('archive.damaged', { message: 'the file ends before its size' });
    offset += length;
    onChunk?.(chunk.subarray(0, length), offset);
    yield chunk.subarray(0, length);
  }
}

/** The first bytes of a file. */
export async function readHead(source: RandomAccess): Promise<Uint8Array> {
  const head = new Uint8Array(Math.min(headBytes, source.sizeBytes));
  return head.subarray(0, await source.read(0, head));
}

/** What a plain file is made of, as its layers tell by themselves. */
export interface PlainLayers {
  readonly isEncrypted: boolean;
  readonly compression: DumpCodec;
}

/** A plain file being read: its layers are known once the first bytes came. */
export interface PlainReading {
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly layers: PlainLayers;
}

/** Decrypts and expands a file by what it begins with. Close `bytes` by ending its iteration. */
export async function readPlain(
  source: RandomAccess,
  options: {
    readonly keys: MessageKeys;
    readonly signal?: AbortSignal | undefined;
    /** What was read of the file. */
    readonly onChunk?: (chunk: Uint8Array, doneBytes: number) => void;
  },
): Promise<PlainReading> {
  const { keys, signal, onChunk } = options;
  const head = await readHead(source);
  const isEncrypted = isOpenPgp(head);
  const stored = readAll(source, signal, onChunk);
  const armored = isEncrypted && head[0] === '-'.charCodeAt(0);
  const opened = isEncrypted ? openMessage(stored, { armored, keys, signal }) : stored;
  const { first, rest } = await peek(opened);
  const compression = codecOfHead(first);
  return { bytes: expanded(compression, rest, signal), layers: { isEncrypted, compression } };
}

/** The first bytes of a stream, and the whole stream. */
async function peek(
  bytes: AsyncGenerator<Uint8Array>,
): Promise<{ readonly first: Uint8Array; readonly rest: AsyncIterable<Uint8Array> }> {
  let first = Buffer.alloc(0);
  let isEnded = false;
  while (first.length < headBytes && !isEnded) {
    const { done, value } = await bytes.next();
    if (done === true) isEnded = true;
    else first = Buffer.concat([first, value]);
  }
  const rest = async function* () {
    if (first.length > 0) yield first;
    if (!isEnded) yield* bytes;
  };
  return { first, rest: rest() };
}

/** What went by of a dump: its length, its digest, what it is, and whether it ends as it must. */
export class DumpObserver {
  readonly #hash: Hash = createHash('sha256');
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0);
  sizeBytes = 0;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.sizeBytes += chunk.length;
    if (this.#head.length < contentHeadBytes) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, contentHeadBytes - this.#head.length)]);
    }
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-contentTailBytes)]).subarray(-contentTailBytes);
  }

  /** SHA-256, hex. Call it once, at the end. */
  digest(): string {
    return this.#hash.digest('hex');
  }

  get content(): DumpContent | undefined {
    return contentOf(this.#head);
  }

  /** Throws `archive.damaged` for a dump that was cut where nothing else shows it. */
  checkEnd(): void {
    const mark = this.content?.endMark;
    if (mark === undefined || mark.test(this.#tail.toString('latin1'))) return;
    throw new HoldfastError('archive.damaged', {
      message: 'the dump does not end as a complete one does',
      hint: 'use another copy of the file; this one is not all of the database',
    });
  }
}
