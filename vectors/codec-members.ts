/** Members of the codecs. gzip and zstd are written by hand with stored blocks, so that no version of a library changes them. */
import { spawnSync } from 'node:child_process';
import { crc32, zstdCompressSync } from 'node:zlib';

/** Numbers of codecs in the header (section 5). `zstd-real` is zstd with compression: its bytes depend on the library. */
export const codecNumbers = { none: 0, zstd: 1, 'zstd-real': 1, gzip: 2, bz2: 3, xz: 4 } as const;
export type CodecName = keyof typeof codecNumbers;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** RFC 1952, with stored blocks of RFC 1951. */
function storedGzip(bytes: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])];
  for (let from = 0; from === 0 || from < bytes.length; from += 65_535) {
    const block = bytes.subarray(from, from + 65_535);
    const head = Buffer.from([Number(from + 65_535 >= bytes.length), 0, 0, 0, 0]);
    head.writeUInt16LE(block.length, 1);
    head.writeUInt16LE(block.length ^ 0xffff, 3);
    parts.push(head, block);
  }
  return Buffer.concat([...parts, u32(crc32(bytes)), u32(bytes.length)]);
}

/** RFC 8878: a frame of one segment, its size stated in 4 bytes. */
function zstdFrame(contentSize: number, blocks: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0]), u32(contentSize), ...blocks]);
}

function zstdBlock(type: 0 | 1, size: number, last: boolean, content: Buffer): Buffer {
  return Buffer.concat([u32((size << 3) | (type << 1) | Number(last)).subarray(0, 3), content]);
}

function rawZstd(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let from = 0; from === 0 || from < bytes.length; from += 131_072) {
    const block = bytes.subarray(from, from + 131_072);
    blocks.push(zstdBlock(0, block.length, from + 131_072 >= bytes.length, block));
  }
  return zstdFrame(bytes.length, blocks);
}

/** A frame of a few bytes that expands to `mebibytes` of one letter. */
export function zstdBomb(mebibytes: number): Buffer {
  const count = mebibytes * 8;
  const blocks = Array.from({ length: count }, (_, index) =>
    zstdBlock(1, 131_072, index === count - 1, Buffer.from('b')),
  );
  return zstdFrame(count * 131_072, blocks);
}

function tool(name: string, bytes: Buffer): Buffer {
  const result = spawnSync(name, ['-c', '-9'], { input: bytes, maxBuffer: 64 * 1024 * 1024 });
  if (result.status !== 0) throw new Error(`${name} failed`);
  return result.stdout;
}

/** One complete member. */
export function member(codec: CodecName, bytes: Buffer): Buffer {
  switch (codec) {
    case 'none':
      return bytes;
    case 'zstd':
      return rawZstd(bytes);
    case 'zstd-real':
      return zstdCompressSync(bytes);
    case 'gzip':
      return storedGzip(bytes);
    case 'bz2':
      return tool('bzip2', bytes);
    case 'xz':
      return tool('xz', bytes);
  }
}
