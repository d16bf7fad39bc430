/**
 * Lays an archive over shards as section 8 of `docs/format.md` says, plainly and in memory: it shares nothing with the product but the
 * specification.
 */
import { parityOf } from './reference-parity.ts';
import { blockSize, hashBlock } from './reference-writer.ts';

/** Rows before which a lead stands. */
const rowsOfGroup = 4096;

/** The shards of an archive of one copy: k of data, then m of parity. `version` is that of their heads. */
export function spreadArchive(archive: Buffer, k: number, m: number, version = 1): Buffer[] {
  const total = archive.length / blockSize;
  const first = archive.subarray(0, blockSize);
  const id = archive.subarray(0, 16);
  const shards = Array.from({ length: k + m }, (): Buffer[] => []);
  const rows = Array.from({ length: k + m }, () => 0);
  const seal = (kind: number, fields: { position: number; ordinal: number; body: Buffer }): Buffer => {
    const block = Buffer.alloc(blockSize);
    id.copy(block, 0);
    block.writeBigUInt64LE(BigInt(fields.position), 16);
    block[24] = k;
    block[25] = m;
    block[28] = kind;
    block[29] = fields.ordinal;
    fields.body.copy(block, 32);
    return hashBlock(block);
  };
  const head = (kind: number, index: number): Buffer => {
    const body = Buffer.alloc(4048);
    body.write('HOLDSHRD', 'latin1');
    body.writeUInt16LE(version, 8);
    id.copy(body, 12);
    body[28] = k;
    body[29] = m;
    body[30] = index;
    if (kind === 5) body.writeBigUInt64LE(BigInt(total), 32);
    return seal(kind, { position: rows[index] ?? 0, ordinal: index, body });
  };
  const add = (index: number, block: Buffer) => {
    if ((rows[index] ?? 0) % rowsOfGroup === 0) shards[index]?.push(head(4, index), first);
    shards[index]?.push(block);
    rows[index] = (rows[index] ?? 0) + 1;
  };
  for (let row = 0; row * k < total; row += 1) {
    const bodies: Buffer[] = [];
    for (let index = 0; index < k; index += 1) {
      const at = (row * k + index) * blockSize;
      const block = archive.subarray(at, at + blockSize);
      const isCoded = block.length > 0 && block[28] !== 0 && block[28] !== 3;
      bodies.push(isCoded ? block.subarray(32, 4080) : Buffer.alloc(4048));
      if (block.length > 0) add(index, block);
    }
    for (const [ordinal, body] of parityOf(bodies, m).entries()) {
      add(k + ordinal, seal(6, { position: row, ordinal, body }));
    }
  }
  for (const index of shards.keys()) {
    if (rows[index] === 0) shards[index]?.push(head(4, index), first);
    shards[index]?.push(head(5, index), first);
  }
  return shards.map((blocks) => Buffer.concat(blocks));
}
