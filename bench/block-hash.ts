/** Hashes of blocks: GB a second on one core. */
import { bodySizeBytes } from '../src/archive/heal/geometry.ts';
import { createKernel } from '../src/archive/heal/kernel.ts';

const blocks = 256;
const rounds = 1000;
const strideBytes = 4096;
const kernel = createKernel((blocks + 1) * strideBytes);
kernel.memory.fill(7);

function hashAll(): void {
  for (let block = 0; block < blocks; block++) {
    kernel.hash({ source: block * strideBytes, lengthBytes: bodySizeBytes, target: blocks * strideBytes });
  }
}

hashAll();
const start = process.hrtime.bigint();
for (let round = 0; round < rounds; round++) hashAll();
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
process.stdout.write(`${((rounds * blocks * bodySizeBytes) / seconds / 1e9).toFixed(2)} GB/s of blocks a core\n`);
