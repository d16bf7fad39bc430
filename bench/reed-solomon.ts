/** Encoding through `ParityAccumulator`: GB of data a second on one core, the parity of each band included. */
import { bandGeometry, blockSizeBytes, stripesPerBand } from '../src/archive/heal/geometry.ts';
import { finishParity, ParityAccumulator } from '../src/archive/heal/parity-accumulator.ts';

const batchBlocks = 256;
const bands = 8;

function measure(dataBlocks: number, parityBlocks: number): number {
  const shape = { dataBlocks, parityBlocks };
  const accumulator = new ParityAccumulator(shape);
  const bandDataBlocks = stripesPerBand * dataBlocks;
  const blocks = new Uint8Array(batchBlocks * blockSizeBytes);
  for (let at = 0, state = 1; at < blocks.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    blocks[at] = state >>> 24;
  }
  const encodeBand = (): void => {
    for (let first = 0; first < bandDataBlocks; first += batchBlocks) {
      accumulator.add(blocks, first, Math.min(batchBlocks, bandDataBlocks - first));
    }
    finishParity([accumulator.take(bandDataBlocks)], bandDataBlocks, dataBlocks, parityBlocks);
  };
  encodeBand();
  const start = process.hrtime.bigint();
  for (let band = 0; band < bands; band++) encodeBand();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  return (bands * bandDataBlocks * blockSizeBytes) / seconds / 1e9;
}

for (const [dataBlocks, parityBlocks] of [
  [239, 16],
  [239, 8],
  [191, 64],
] as const) {
  const { stripes } = bandGeometry(stripesPerBand * dataBlocks, { dataBlocks, parityBlocks });
  const speed = measure(dataBlocks, parityBlocks).toFixed(2);
  process.stdout.write(`${dataBlocks} + ${parityBlocks} blocks, ${stripes} stripes: ${speed} GB/s of data a core\n`);
}
