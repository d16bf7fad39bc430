import { open, readlink } from 'node:fs/promises';
import { readFlags } from './read-flags.ts';

const pieceBytes = 256 * 1024;

/** Whether two files hold the same bytes. */
export async function haveSameBytes(first: Buffer, second: Buffer): Promise<boolean> {
  await using one = await open(first, readFlags);
  await using other = await open(second, readFlags);
  if ((await one.stat()).size !== (await other.stat()).size) return false;
  const [left, right] = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)];
  for (let offset = 0; ; ) {
    const { bytesRead } = await one.read(left, 0, pieceBytes, offset);
    let filled = 0;
    while (filled < bytesRead) {
      const read = await other.read(right, filled, bytesRead - filled, offset + filled);
      if (read.bytesRead === 0) return false;
      filled += read.bytesRead;
    }
    if (bytesRead === 0) return true;
    if (!left.subarray(0, bytesRead).equals(right.subarray(0, bytesRead))) return false;
    offset += bytesRead;
  }
}

/** Whether two links say the same. */
export async function haveSameTarget(first: Buffer, second: Buffer): Promise<boolean> {
  const [one, other] = await Promise.all([first, second].map((path) => readlink(path, { encoding: 'buffer' })));
  return one !== undefined && other !== undefined && one.equals(other);
}
