/** Encoding through `ParityAccumulator`: GB of data a second on one core, the parity of each band included, and what that alone costs. */
import { bandGeometry, blockSizeBytes, stripesPerBand } from '../src/archive/heal/geometry.ts';
import { chunkBlocks, ParityAccumulator } from '../src/archive/heal/parity-accumulator.ts';

const bands = 8;

/** GB a second, and milliseconds for the parity of a band. */
function measure(dataBlocks: number, parityBlocks: number): { speed: number; parityMs: number } {
  const shape = { dataBlocks, parityBlocks };
  const accumulator = new ParityAccumulator(shape);
  const bandDataBlocks = stripesPerBand * dataBlocks;
  const blocks = new Uint8Array(chunkBlocks * blockSizeBytes);
  for (let at = 0, state = 1; at < blocks.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    blocks[at] = state >>> 24;
  }
  let parityNs = 0n;
  const encodeBand = (): void => {
    for (let first = 0; first < bandDataBlocks; first += chunkBlocks) {
      accumulator.add(blocks, first, Math.min(chunkBlocks, bandDataBlocks - first));
    }
    const start = process.hrtime.bigint();
    accumulator.solve(bandDataBlocks);
    accumulator.clear();
    parityNs += process.hrtime.bigint() - start;
  };
  encodeBand();
  parityNs = 0n;
  const start = process.hrtime.bigint();
  for (let band = 0; band < bands; band++) encodeBand();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  return {
    speed: (bands * bandDataBlocks * blockSizeBytes) / seconds / 1e9,
    parityMs: Number(parityNs) / bands / 1e6,
  };
}

for (const [dataBlocks, parityBlocks] of [
  [239, 16],
  [239, 8],
  [191, 64],
] as const) {
  const { stripes } = bandGeometry(stripesPerBand * dataBlocks, { dataBlocks, parityBlocks });
  const { speed, parityMs } = measure(dataBlocks, parityBlocks);
  const shape = `${dataBlocks} + ${parityBlocks} blocks, ${stripes} stripes`;
  process.stdout.write(
    `${shape}: ${speed.toFixed(2)} GB/s of data a core; a band's parity is solved in ${parityMs.toFixed(1)} ms\n`,
  );
}
