import { crc32, deflateSync } from 'node:zlib';
import type { SeededRandom } from './seeded-random.ts';

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

/** A PNG picture of stripes and circles; `grain` of 0 to 255 is the noise on it, which decides how well it compresses. */
export function makePicture(random: SeededRandom, sidePixels: number, grain: number): Buffer {
  const noise = random.bytes(sidePixels * sidePixels);
  const tints = [random.integer(256), random.integer(256), random.integer(256)] as const;
  const period = random.between(8, 60);
  const rows = Buffer.alloc(sidePixels * (sidePixels * 3 + 1));
  let offset = 0;
  for (let y = 0; y < sidePixels; y += 1) {
    rows[offset] = 0; // filter: none
    offset += 1;
    for (let x = 0; x < sidePixels; x += 1) {
      const wave = Math.floor(Math.hypot(x - sidePixels / 2, y - sidePixels / 2) / period) * 40;
      const speck = ((noise[y * sidePixels + x] ?? 0) * grain) >> 8;
      rows[offset] = (tints[0] + wave + speck) & 255;
      rows[offset + 1] = (tints[1] + x + speck * 3) & 255;
      rows[offset + 2] = (tints[2] + y + speck * 7) & 255;
      offset += 3;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(sidePixels, 0);
  header.writeUInt32BE(sidePixels, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8 bits a channel, RGB
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 1 })),
    chunk('IEND', new Uint8Array()),
  ]);
}
