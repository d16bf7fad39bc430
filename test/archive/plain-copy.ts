import { encodeHeader, type Header } from '../../src/archive/header.ts';
import { blockKind, expectedFrame, sealBlock } from '../../src/archive/heal/block.ts';
import {
  blockSizeBytes,
  bodySizeBytes,
  frameSizeBytes,
  Layout,
  payloadSizeBytes,
} from '../../src/archive/heal/geometry.ts';
import { ParityAccumulator } from '../../src/archive/heal/parity-accumulator.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';

/** One copy of an archive, block by block as the format says, for tests of what finds, reads and writes blocks. */
export interface PlainCopy {
  readonly header: Header;
  /** As it stands in header blocks. */
  readonly headerBody: Uint8Array;
  readonly layout: Layout;
  readonly bytes: Buffer;
  /** The sealed stream. */
  readonly stream: Buffer;
}

/** A header without a cipher; of one seed and other changes it is that of the same archive. */
export function plainHeader(seed: number, changes: Partial<Header> = {}): Header {
  return {
    archiveId: new SeededRandom(seed).bytes(16),
    createdMs: 1_736_899_200_000,
    cipher: 'none',
    codec: 'none',
    copies: 1,
    dataBlocks: 4,
    parityBlocks: 2,
    segmentSizeBytes: 100_000,
    generation: 0,
    slots: [],
    ...changes,
  };
}

/** The block at a position of a copy, or at a place of several copies. */
export function blockAt(bytes: Buffer, position: number): Buffer {
  return bytes.subarray(position * blockSizeBytes, (position + 1) * blockSizeBytes);
}

/** Random payloads, unless a stream is given, which is filled up with zeros. */
export function plainCopy(totalDataBlocks: number, header = plainHeader(1), stream?: Uint8Array): PlainCopy {
  const layout = new Layout(totalDataBlocks, header);
  const payloads = Buffer.alloc(totalDataBlocks * payloadSizeBytes);
  payloads.set(stream ?? new SeededRandom(totalDataBlocks).bytes(payloads.length));
  const headerBody = Buffer.alloc(bodySizeBytes);
  headerBody.set(encodeHeader(header, undefined));
  const bytes = Buffer.alloc(layout.totalBlocks * blockSizeBytes);
  const parity = new ParityAccumulator(header);
  for (let position = 0; position < layout.totalBlocks; position++) {
    const block = blockAt(bytes, position);
    const place = layout.place(position);
    if (place.kind === 'data') {
      const number = layout.bandFirstData(place.band) + place.index;
      block.set(payloads.subarray(number * payloadSizeBytes, (number + 1) * payloadSizeBytes), frameSizeBytes);
    } else if (place.kind === 'parity') {
      const data = layout.bandDataBlocks(place.band);
      if (place.index === 0) parity.solve(data);
      block.set(parity.parityBody(data, place.index), frameSizeBytes);
    } else {
      block.set(headerBody, frameSizeBytes);
      if (place.kind === 'header' && place.ordinal === 0) parity.clear();
    }
    const frame = expectedFrame(layout, position);
    sealBlock(block, header.archiveId, frame);
    if (frame.kind === blockKind.data && place.kind === 'data') parity.add(block, place.index, 1);
  }
  return { header, headerBody, layout, bytes, stream: payloads };
}
