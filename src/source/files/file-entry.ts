import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { throwIfAborted } from '../../errors.ts';
import type { EntryMetadata, SourceContext, SourceEntry } from '../source.ts';
import { systemCode, systemReason } from '../system-error.ts';
import { fileMetadata } from './file-metadata.ts';

/** A disk that cannot even tell the file's state gives no proof that it stayed as it was. */
function systemCodeOnly(error: unknown): undefined {
  if (systemCode(error) === '') throw error;
}

const chunkSizeBytes = 1024 * 1024;

/** Two buffers that take turns, so that the next chunk is read while the last one is worked on. One pair serves a whole source. */
export type ReadBuffers = readonly [Buffer, Buffer];

/** Memory for {@link FileEntry}. */
export function newReadBuffers(): ReadBuffers {
  return [Buffer.allocUnsafeSlow(chunkSizeBytes), Buffer.allocUnsafeSlow(chunkSizeBytes)];
}

/** What a {@link FileEntry} is made from. */
export interface FileEntryOptions {
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  /** Open for reading; whoever opened it closes it. */
  readonly handle: FileHandle;
  /** As they were when it was opened. */
  readonly stats: BigIntStats;
  readonly buffers: ReadBuffers;
  readonly context: SourceContext;
  /** What a root says beside the rest. */
  readonly extraMetadata?: EntryMetadata;
}

/** An open file as an entry: its bytes up to the size that it had when it was opened, however it grows. */
export class FileEntry implements SourceEntry {
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  readonly kind = 'file';
  readonly expectedSizeBytes: number;
  metadata: EntryMetadata;
  readonly #options: FileEntryOptions;

  constructor(options: FileEntryOptions) {
    this.#options = options;
    this.path = options.path;
    if (options.pathBytes !== undefined) this.pathBytes = options.pathBytes;
    this.expectedSizeBytes = Number(options.stats.size);
    this.metadata = { ...fileMetadata(options.stats), ...options.extraMetadata };
  }

  async *open(signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const sizeBytes = this.expectedSizeBytes;
    const { handle, buffers } = this.#options;
    let turn = 0;
    let doneBytes = 0;
    // A failure is met at once: it may come while the chunk before it is still worked on.
    const readNext = async (position: number): Promise<number> => {
      const length = Math.min(chunkSizeBytes, sizeBytes - position);
      if (length === 0) return 0;
      try {
        return (await handle.read(buffers[turn % 2 === 0 ? 0 : 1], 0, length, position)).bytesRead;
      } catch (error) {
        this.#markChanged(`read only in part: ${systemReason(error)} at byte ${position}`);
        return 0;
      }
    };
    let pending = readNext(0);
    try {
      for (;;) {
        throwIfAborted(signal);
        const bytesRead = await pending;
        if (bytesRead === 0) break;
        const chunk = buffers[turn % 2 === 0 ? 0 : 1].subarray(0, bytesRead);
        doneBytes += bytesRead;
        turn += 1;
        pending = readNext(doneBytes);
        yield chunk;
      }
    } finally {
      // The buffers and the handle are used by others next: no read may still be under way.
      await pending;
    }
    await this.#compare(doneBytes);
  }

  #markChanged(message: string): void {
    if (this.metadata['changed'] === true) return;
    this.metadata = { ...this.metadata, changed: true };
    this.#options.context.report({ code: 'source.changed', path: this.path, message });
  }

  async #compare(doneBytes: number): Promise<void> {
    const before = this.#options.stats;
    const after = await this.#options.handle.stat({ bigint: true }).catch(systemCodeOnly);
    const isSame =
      after !== undefined &&
      BigInt(doneBytes) === before.size &&
      after.size === before.size &&
      after.mtimeNs === before.mtimeNs &&
      after.ctimeNs === before.ctimeNs;
    if (!isSame) this.#markChanged('it changed while it was read; the bytes are kept as they were read');
  }
}
