/** Shards in memory, for tests of what reads them one by one. */
import { blockKind, expectedFrame, sealBlock } from '../../src/archive/heal/block.ts';
import { Layout } from '../../src/archive/heal/geometry.ts';
import type { RandomAccess } from '../../src/archive/random-access.ts';
import type { ShardPatience, ShardSource } from '../../src/archive/spread/shard.ts';
import { SpreadEncoder } from '../../src/archive/spread/spread-encoder.ts';
import { blocky } from '../../vectors/generators/vector.ts';
import { spreadArchive } from '../../vectors/reference-spread.ts';

export const blockBytes = 4096;

/** The plain writer's archive of 13 blocks: 0 to 2 header, 3 to 6 data, 7 to 9 parity, 10 to 12 final header. */
export const small = blocky({ copies: 1 });
export const smallBlocks = small.file.length / blockBytes;

/** The small archive over k + m shards, as the plain encoder lays it. */
export function smallShards(k: number, m: number, archive = small.file): Buffer[] {
  return spreadArchive(archive, k, m);
}

/** A file that says what was read of it, and that fails where a test wants it. */
export class ShardFile implements RandomAccess {
  readonly sizeBytes: number;
  /** Offset and length of each read that was begun, in blocks. */
  readonly reads: [first: number, count: number][] = [];
  /** What a read throws, or waits for. */
  onRead: (offset: number) => void | Promise<void> = () => undefined;
  isClosed = false;
  readonly #bytesAt: (offset: number, length: number) => Uint8Array;

  constructor(bytes: Uint8Array | { readonly sizeBytes: number; readonly bytesAt: (offset: number) => Uint8Array }) {
    const isWhole = bytes instanceof Uint8Array;
    this.sizeBytes = isWhole ? bytes.length : bytes.sizeBytes;
    this.#bytesAt = isWhole ? (offset, length) => bytes.subarray(offset, offset + length) : bytes.bytesAt;
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    this.reads.push([offset / blockBytes, into.length / blockBytes]);
    await this.onRead(offset);
    const bytes = this.#bytesAt(offset, into.length).subarray(0, into.length);
    into.set(bytes);
    return bytes.length;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

/** As storages give them: with numbers in their names, those left out that are undefined. */
export function sourcesOf(shards: readonly (Uint8Array | ShardFile | undefined)[]): (ShardSource & {
  readonly access: ShardFile;
})[] {
  return shards.flatMap((shard, index) => {
    if (shard === undefined) return [];
    const access = shard instanceof ShardFile ? shard : new ShardFile(shard);
    return [{ access, label: `shard ${index}`, index }];
  });
}

/** Zeros in place of blocks. */
export function wipeBlocks(file: Uint8Array, ...blocks: readonly number[]): void {
  for (const block of blocks) file.fill(0, block * blockBytes, (block + 1) * blockBytes);
}

/** Nothing is ever slow. */
export const patience: ShardPatience = { slowAfterMs: 1000, pause: () => new Promise<never>(() => undefined) };

/** An archive with the small one's header and so many data blocks, whose bodies begin with their position. It has no contents. */
export function longArchive(dataBlocks: number): Buffer {
  const layout = new Layout(dataBlocks, { dataBlocks: 10, parityBlocks: 3 });
  const archive = Buffer.alloc(layout.totalBlocks * blockBytes);
  for (let position = 0; position < layout.totalBlocks; position += 1) {
    const block = archive.subarray(position * blockBytes, (position + 1) * blockBytes);
    const frame = expectedFrame(layout, position);
    if (frame.kind === blockKind.header || frame.kind === blockKind.final) small.file.copy(block, 32, 32, 4080);
    else block.writeUInt32LE(position, 32);
    sealBlock(block, small.id, frame);
  }
  return archive;
}

/** A long archive over k + m shards. */
export function longShards(data: number, parity: number, archive: Buffer): Buffer[] {
  const shards = Array.from({ length: data + parity }, (): Uint8Array[] => []);
  const encoder = new SpreadEncoder({
    shape: { data, parity },
    emit: (index, bytes) => void shards[index]?.push(bytes),
  });
  encoder.push(archive);
  encoder.finish();
  return shards.map((pieces) => Buffer.concat(pieces));
}
