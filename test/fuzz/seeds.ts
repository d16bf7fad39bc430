import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UnlockKeys } from '../../src/archive/unlock.ts';
import type { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { Secret } from '../../src/secret.ts';
import { SeededRandom } from '../../src/testing/index.ts';
import { sampleHeader, writeSample } from '../archive/write-sample.ts';

/** An archive to begin with. */
export interface FuzzSeed {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly keys: UnlockKeys | undefined;
}

const shapes = [
  { codec: 'none', copies: 1, dataBlocks: 2, parityBlocks: 2, segmentSizeBytes: 3000 },
  { codec: 'zstd', copies: 2, dataBlocks: 10, parityBlocks: 3, segmentSizeBytes: 65_536 },
  { codec: 'gzip', copies: 2, dataBlocks: 239, parityBlocks: 16, segmentSizeBytes: 1_048_576 },
  { codec: 'none', copies: 2, dataBlocks: 10, parityBlocks: 3, segmentSizeBytes: 5000, cipher: 'aes-256-gcm' },
] as const;

/** Small archives of each shape. */
export async function writtenSeeds(workers: WorkerPool): Promise<FuzzSeed[]> {
  const random = new SeededRandom(5);
  const sizes = [0, 1, 9000, 40, 20_000, 700];
  const entries = sizes.map((size, index) => ({ path: `files/${index}`, bytes: random.bytes(size) }));
  const seeds: FuzzSeed[] = [];
  for (const [index, shape] of shapes.entries()) {
    const sample = await writeSample({ workers, header: sampleHeader(index, shape), entries });
    const { bytes, dataKey } = sample;
    seeds.push({ name: `written ${index}`, bytes, keys: dataKey === undefined ? undefined : { dataKey } });
  }
  return seeds;
}

/** The vectors; keys whose derivation is slow are left out, as nothing behind them would be reached often enough. */
export function vectorSeeds(): FuzzSeed[] {
  const folder = join(import.meta.dirname, '../../vectors/archives');
  const names = readdirSync(folder).filter((name) => name.endsWith('.holdfast'));
  return names.sort().map((name) => {
    const told = JSON.parse(readFileSync(join(folder, name.replace('.holdfast', '.json')), 'utf8')) as {
      identity: string | null;
    };
    const keys = told.identity === null ? undefined : { identities: [new Secret(told.identity)] };
    return { name, bytes: new Uint8Array(readFileSync(join(folder, name))), keys };
  });
}
