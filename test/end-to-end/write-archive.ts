import { createHash } from 'node:crypto';
import { ArchiveWriter } from '../../src/archive/archive-writer.ts';
import type { EntryInput } from '../../src/archive/entry/open-entry.ts';
import { encodeTail, tailRecordSizeBytes } from '../../src/archive/entry/tail.ts';
import { encodeHeader, fixedPartDigest, type Header } from '../../src/archive/header.ts';
import { BlockWriter } from '../../src/archive/heal/block-writer.ts';
import { payloadSizeBytes } from '../../src/archive/heal/geometry.ts';
import { type SegmentKind, sealSegment, segmentKind, tagSizeBytes } from '../../src/archive/seal/segment-cipher.ts';
import { WorkerPool } from '../../src/archive/worker/worker-pool.ts';

/** An entry as any writer, honest or not, could put it into an archive. */
export interface WrittenEntry extends Partial<EntryInput> {
  readonly path: string;
  readonly bytes?: string | Uint8Array;
}

/** Of one copy, without encryption or compression. */
export function plainHeader(archiveId: Uint8Array): Header {
  return {
    archiveId,
    createdMs: 0,
    cipher: 'none',
    codec: 'none',
    copies: 1,
    dataBlocks: 239,
    parityBlocks: 16,
    segmentSizeBytes: 1024 * 1024,
    generation: 0,
    slots: [],
  };
}

const idOf = (seed: string) => createHash('sha256').update(seed).digest().subarray(0, 16);

/** Gathers what a writer writes. */
async function gather(
  write: (workers: WorkerPool, sink: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<Uint8Array> {
  const workers = new WorkerPool(1);
  const pieces: Uint8Array[] = [];
  try {
    await write(workers, async (bytes) => {
      pieces.push(bytes.slice());
    });
    return Buffer.concat(pieces);
  } finally {
    await workers.close();
  }
}

/** Writes an archive of one copy, without encryption, with no check of what is in it. */
export async function writeArchive(
  entries: readonly WrittenEntry[],
  shape: Partial<Pick<Header, 'segmentSizeBytes' | 'dataBlocks' | 'parityBlocks'>> = {},
): Promise<Uint8Array> {
  const header = { ...plainHeader(idOf(JSON.stringify(entries))), ...shape };
  return await gather(async (workers, sink) => {
    const writer = await ArchiveWriter.create({ header, dataKey: undefined, workers, sink });
    for (const { bytes, ...entry } of entries) {
      const chunk = async function* () {
        if (bytes !== undefined) yield Buffer.from(bytes);
      };
      await writer.add({ kind: 'file', metadata: {}, ...entry }, bytes === undefined ? undefined : chunk());
    }
    await writer.finish();
  });
}

/** Writes an archive of one data segment and one index part, sealed as it should be, whatever the index tells. */
export async function writeForgedIndex(content: string, index: string): Promise<Uint8Array> {
  const header = plainHeader(idOf(index));
  const seal = { key: undefined, fixedDigest: fixedPartDigest(header) };
  const sealed = (number: number, kind: SegmentKind, bytes: Uint8Array) => {
    const into = Buffer.alloc(bytes.length + tagSizeBytes);
    sealSegment(seal, { number, kind, bytes }, into);
    return into;
  };
  const data = sealed(0, segmentKind.data, Buffer.from(content));
  const part = sealed(1, segmentKind.index, Buffer.from(index));
  const place = { segment: 1, offset: data.length, length: part.length };
  const sealedBytes = data.length + part.length;
  const counts = { segmentCount: 2, sealedBytes, plainBytes: content.length, entryCount: 1, indexPartCount: 1 };
  const tail = sealed(2, segmentKind.tail, encodeTail({ ...counts, lastIndexPart: place }));
  const zeros = payloadSizeBytes - ((sealedBytes + tailRecordSizeBytes) % payloadSizeBytes);
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(2n);
  return await gather(async (workers, sink) => {
    const { archiveId } = header;
    const encoded = encodeHeader(header, undefined);
    const blocks = new BlockWriter({ workers, archiveId, shape: header, header: encoded, sink });
    await blocks.append(Buffer.concat([data, part, Buffer.alloc(zeros), number, tail]));
    await blocks.finish();
  });
}
