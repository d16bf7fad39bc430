import type { BigIntStats } from 'node:fs';
import type { Clock } from '../../clock.ts';
import type { PositionalFile } from '../../disk/positional-file.ts';
import { throwIfAborted } from '../../errors.ts';
import { ReadableBytes } from '../readable-bytes.ts';
import type { EntryBytes, EntryMetadata, SourceContext, SourceEntry } from '../source.ts';
import { systemCode, systemReason } from '../system-error.ts';
import { fileMetadata } from './file-metadata.ts';
import type { ReadPath } from './read-path.ts';

/** A disk that cannot even tell the file's state gives no proof that it stayed as it was. */
function systemCodeOnly(error: unknown): undefined {
  if (systemCode(error) === '') throw error;
}

/** What a {@link FileEntry} is made from. */
export interface FileEntryOptions {
  readonly path: string;
  readonly pathBytes?: Uint8Array;
  /** Open for reading; the entry closes it when its bytes have ended. */
  readonly file: PositionalFile;
  /** As they were when it was opened. */
  readonly stats: BigIntStats;
  readonly context: SourceContext;
  /** Decides how the file is read where it is open for direct I/O; shared by the files of a source. */
  readonly readPath: ReadPath;
  readonly clock: Clock;
  readonly onClose: (entry: FileEntry) => void;
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
  #isBegun = false;

  constructor(options: FileEntryOptions) {
    this.#options = options;
    this.path = options.path;
    if (options.pathBytes !== undefined) this.pathBytes = options.pathBytes;
    this.expectedSizeBytes = Number(options.stats.size);
    this.metadata = { ...fileMetadata(options.stats), ...options.extraMetadata };
  }

  /** Whether its bytes were asked for. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** May be repeated. */
  async close(): Promise<void> {
    await this.#options.file.close();
    this.#options.onClose(this);
  }

  open(signal: AbortSignal | undefined): EntryBytes {
    this.#isBegun = true;
    let doneBytes = 0;
    let hasEnded = false;
    const end = async (): Promise<0> => {
      if (!hasEnded) {
        hasEnded = true;
        await this.#compare(doneBytes);
        await this.close();
      }
      return 0;
    };
    return new ReadableBytes(async (into) => {
      throwIfAborted(signal);
      const length = Math.min(into.length, this.expectedSizeBytes - doneBytes);
      if (length === 0 || hasEnded) return await end();
      let bytesRead = 0;
      try {
        bytesRead = await this.#read(into.subarray(0, length), doneBytes);
      } catch (error) {
        this.#markChanged(`read only in part: ${systemReason(error)} at byte ${doneBytes}`);
      }
      doneBytes += bytesRead;
      return bytesRead === 0 ? await end() : bytesRead;
    });
  }

  async #read(into: Uint8Array, offset: number): Promise<number> {
    const { file, readPath, clock } = this.#options;
    if (!file.isOpenDirect) return await file.readThroughCache(into, offset);
    if (!readPath.isDirect) {
      const startMs = clock.monotonicMs();
      const length = await file.readThroughCache(into, offset);
      readPath.note(length, clock.monotonicMs() - startMs);
      return length;
    }
    try {
      return await file.read(into, offset);
    } catch {
      // A direct read fails as a whole: through the page cache come the bytes before the bad place, and then the error again.
      return await file.readThroughCache(into, offset);
    }
  }

  #markChanged(message: string): void {
    if (this.metadata['changed'] === true) return;
    this.metadata = { ...this.metadata, changed: true };
    this.#options.context.report({ code: 'source.changed', path: this.path, message });
  }

  async #compare(doneBytes: number): Promise<void> {
    const before = this.#options.stats;
    const after = await this.#options.file.handle.stat({ bigint: true }).catch(systemCodeOnly);
    const isSame =
      after !== undefined &&
      BigInt(doneBytes) === before.size &&
      after.size === before.size &&
      after.mtimeNs === before.mtimeNs &&
      after.ctimeNs === before.ctimeNs;
    if (!isSame) this.#markChanged('it changed while it was read; the bytes are kept as they were read');
  }
}
