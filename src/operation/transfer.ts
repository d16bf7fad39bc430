import { headerLength } from '../archive/header.ts';
import { archiveIdSizeBytes, hasRightHash, readFrame } from '../archive/heal/block.ts';
import { BlockStore } from '../archive/heal/block-store.ts';
import { blockSizeBytes } from '../archive/heal/geometry.ts';
import type { RandomAccess } from '../archive/random-access.ts';
import type { WorkerPool } from '../archive/worker/worker-pool.ts';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { StorageWriter } from '../storage/storage.ts';
import { checkParts } from './check-parts.ts';
import { type WritableLocation, withSources } from './location.ts';
import type { ArchiveLocation, RunOptions } from './options.ts';
import { rewriteArchive } from './rewrite.ts';
import { failAfter, ProgressMeter, withWorkers } from './run.ts';
import { archiveIdHex } from './summary.ts';
import { checkArchive } from './verify.ts';

const chunkBytes = 1024 * 1024;
/** Chunks that are read ahead of the writer. */
const chunksAhead = 4;

/** What a transfer wrote. */
export interface Transferred {
  readonly archiveId: string;
  readonly sizeBytes: number;
  /** Whether what was read was damaged, and what was written is whole. */
  readonly healed: boolean;
}

interface Transfer {
  /** The first is copied; where it is damaged all of them together give a whole one. */
  readonly from: readonly ArchiveLocation[];
  readonly to: WritableLocation;
  readonly run: RunOptions;
}

/**
 * Brings an archive to another place: byte for byte where it is whole, else healed. Every block is read back before it appears. No key is
 * needed. Memory: `chunksAhead` chunks of 1 MiB, or that of a repair.
 * Throws `archive.damaged`, `archive.not_an_archive`, `archive.version_unsupported`, `archive.verify_failed`, and what the storages throw.
 */
export async function transferArchive({ from, to, run }: Transfer): Promise<Transferred> {
  return await withSources(from, (sources) =>
    withWorkers(run, async (workers) => {
      const [first] = sources;
      const copied = first && (await copyWhole(first, { to, run, workers }));
      return copied ?? (await writeHealed(sources, { to, run, workers }));
    }),
  );
}

interface Place {
  readonly to: WritableLocation;
  readonly run: RunOptions;
  readonly workers: WorkerPool;
}

/** Thrown to a writer whose bytes are not what is wanted. */
class NotWhole extends HoldfastError {
  constructor(cause?: unknown) {
    super('archive.damaged', { cause });
  }
}

/** Copies what is whole; undefined where it is not, and nothing was written. */
async function copyWhole(source: RandomAccess, { to, run, workers }: Place): Promise<Transferred | undefined> {
  const { signal, onProgress: _, ...quiet } = run;
  const options = { copies: 1, expectedSizeBytes: source.sizeBytes, ...(signal && { signal }) };
  const writer = await to.storage.writer(to.name, options);
  let archiveId = '';
  let sizeBytes: number;
  try {
    await copyBytes(source, to.storage.spread === undefined ? writer : wholeBlocksOnly(writer), run);
    const committed = await writer.commit(async (stored) => {
      // An archive that stands there twice would read as a whole one.
      if (stored.sizeBytes !== source.sizeBytes) {
        const message = `${stored.sizeBytes} bytes were stored of ${source.sizeBytes}`;
        throw new HoldfastError('archive.verify_failed', { message });
      }
      const checking = { sources: [stored], workers, run: { ...quiet, ...(signal && { signal }) }, keys: undefined };
      const checked = await checkArchive({ ...checking, level: 'structure' });
      if (checked.state !== 'intact') throw new NotWhole();
      archiveId = checked.archiveId;
    });
    sizeBytes = committed.sizeBytes;
  } catch (error) {
    // A header that is damaged here may be whole in another replica, and bytes that cannot be read may be solved.
    const mayBeHealed =
      error instanceof NotWhole ||
      (error instanceof HoldfastError && ['archive.not_an_archive', 'archive.damaged'].includes(error.code));
    if (!mayBeHealed) return await failAfter(error, [() => writer.abort()]);
    await writer.abort();
    return undefined;
  }
  checkParts(writer, to);
  return { archiveId, sizeBytes, healed: false };
}

/**
 * Takes nothing but whole blocks, each in its place. A code over shards that was made of a damaged block gives that block back with a hash that is
 * right: the damage could be seen no more.
 */
function wholeBlocksOnly(writer: StorageWriter): Pick<StorageWriter, 'write'> {
  let position = 0;
  let archiveId: Buffer | undefined;
  return {
    write: async (bytes) => {
      for (let start = 0; start < bytes.length; start += blockSizeBytes) {
        const block = Buffer.from(
          bytes.buffer,
          bytes.byteOffset + start,
          Math.min(blockSizeBytes, bytes.length - start),
        );
        if (block.length < blockSizeBytes) throw new NotWhole();
        archiveId ??= Buffer.from(block.subarray(0, archiveIdSizeBytes));
        const isOfIt = archiveId.compare(block, 0, archiveIdSizeBytes) === 0;
        if (!isOfIt || readFrame(block)?.position !== position || !hasRightHash(block)) throw new NotWhole();
        position += 1;
      }
      await writer.write(bytes);
    },
  };
}

async function copyBytes(source: RandomAccess, writer: Pick<StorageWriter, 'write'>, run: RunOptions): Promise<void> {
  const meter = new ProgressMeter(run);
  const { sizeBytes } = source;
  const ahead: Promise<Uint8Array>[] = [];
  const read = async (offset: number) => {
    const bytes = new Uint8Array(Math.min(chunkBytes, sizeBytes - offset));
    try {
      if ((await source.read(offset, bytes)) === bytes.length) return bytes;
    } catch (error) {
      // What is bad in the source is for the repair to get round; a storage that does not answer ends the run.
      if (!(error instanceof HoldfastError) || error.code !== 'storage.failed') throw error;
      throw new NotWhole(error);
    }
    throw new NotWhole();
  };
  let next = 0;
  let doneBytes = 0;
  try {
    while (doneBytes < sizeBytes) {
      throwIfAborted(run.signal);
      for (; ahead.length < chunksAhead && next < sizeBytes; next += chunkBytes) {
        const chunk = read(next);
        // It is thrown in its turn.
        chunk.catch(() => undefined);
        ahead.push(chunk);
      }
      const bytes = await ahead.shift();
      if (bytes === undefined) break;
      await writer.write(bytes);
      doneBytes += bytes.length;
      meter.report({ phase: 'write', doneBytes, totalBytes: sizeBytes });
    }
  } finally {
    await Promise.allSettled(ahead);
  }
}

async function writeHealed(sources: readonly RandomAccess[], { to, run, workers }: Place): Promise<Transferred> {
  const store = await BlockStore.open({ sources, workers, signal: run.signal });
  const header = store.headerBody.subarray(0, headerLength(store.headerBody));
  const stored = await rewriteArchive({ store, workers, header, output: to, allowLost: false, run });
  return { archiveId: archiveIdHex(store.header), sizeBytes: stored.sizeBytes, healed: true };
}
