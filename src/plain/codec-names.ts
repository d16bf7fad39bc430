/** How a plain dump is compressed. */
export type DumpCodec = 'gzip' | 'bz2' | 'xz' | 'zstd' | 'none';

/** What the name of a compressed file ends with. */
export const codecExtensions: Readonly<Record<DumpCodec, string>> = {
  gzip: '.gz',
  bz2: '.bz2',
  xz: '.xz',
  zstd: '.zst',
  none: '',
};

const magics: readonly (readonly [DumpCodec, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['bz2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/** The codec that a file begins like; `none` for anything else. */
export function codecOfHead(head: Uint8Array): DumpCodec {
  return magics.find(([, magic]) => magic.every((byte, index) => head[index] === byte))?.[0] ?? 'none';
}
