import { asBuffer } from '../../bytes.ts';
import { archiveIdSizeBytes, expectedFrame, frameBytes } from './block.ts';
import { blockSizeBytes, frameSizeBytes, type Layout, stripesPerBand } from './geometry.ts';

/** Blocks of a layer that are read at once. */
const blocksAtOnce = 64;
/** So many bytes of the archive's id may be wrong in a frame that is damaged; all else of it has to be as it should. */
const wrongIdBytes = 4;

/** What is read of an archive. */
export interface LaidOut {
  readonly archiveId: Uint8Array;
  readonly layout: Layout;
  readonly layers: readonly number[];
  readonly readLayer: (layer: number, firstPosition: number, count: number, into: Uint8Array) => Promise<void>;
}

/**
 * Whether the archive itself tells that it is as long as its layout, and not the size of its file alone: a file that was cut is no shorter archive. A
 * final header tells it by its frame, and so does parity of the last band, unless that band is full: others may have followed. Both may be damaged
 * elsewhere.
 */
export async function tellsItsLength(archive: LaidOut): Promise<boolean> {
  const { layout } = archive;
  const last = layout.bands - 1;
  const isFull = layout.bandDataBlocks(last) === stripesPerBand * layout.shape.dataBlocks;
  const firstFinal = layout.finalPosition(0);
  const first = isFull ? firstFinal : layout.parityPosition(last, 0);
  for (let end = layout.totalBlocks; end > first; ) {
    // The final headers first: they are nearly always there.
    const start = end === layout.totalBlocks ? firstFinal : Math.max(first, end - blocksAtOnce);
    for (const layer of archive.layers) if (await hasFrame(archive, layer, start, end)) return true;
    end = start;
  }
  return false;
}

/** Whether a layer has at least one block in a range of positions whose frame is that of the layout. */
async function hasFrame(
  { archiveId, layout, readLayer }: LaidOut,
  layer: number,
  start: number,
  end: number,
): Promise<boolean> {
  const bytes = Buffer.alloc((end - start) * blockSizeBytes);
  await readLayer(layer, start, end - start, bytes);
  for (let position = start; position < end; position++) {
    const frame = bytes.subarray((position - start) * blockSizeBytes).subarray(0, frameSizeBytes);
    const expected = asBuffer(frameBytes(archiveId, expectedFrame(layout, position)));
    const isOfIt =
      frame.compare(expected, archiveIdSizeBytes, frameSizeBytes, archiveIdSizeBytes, frameSizeBytes) === 0;
    if (!isOfIt) continue;
    let wrong = 0;
    for (let at = 0; at < archiveIdSizeBytes; at++) if (frame[at] !== expected[at]) wrong++;
    if (wrong <= wrongIdBytes) return true;
  }
  return false;
}
