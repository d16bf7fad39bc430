/** Mistakes of storages over which archives are spread: the oracle has to see each. */
import { shardBlockKind } from '../../src/archive/heal/block.ts';
import { blockSizeBytes } from '../../src/archive/heal/geometry.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import type { SpreadStorageOptions } from '../../src/storage/spread/spread-storage.ts';
import type { StorageWriter, WriterOptions } from '../../src/storage/storage.ts';
import { ForwardingStorage } from '../../src/storage/wrap/forwarding-storage.ts';
import { hashBlock } from '../../vectors/reference-writer.ts';
import { type SpreadPlace, WitnessedSpread } from './spread-place.ts';

/** A check that looks at what the shards give, and not whether all of them are there. */
export const seesNoShards: typeof validateBackup = async (options) => {
  const report = await validateBackup(options);
  const isShardless = report.spread !== undefined && report.state === 'repairable' && report.blocks.damaged === 0;
  return isShardless ? { ...report, state: 'intact' } : report;
};

/** Tells nothing of storages that took no shard. */
export class SilentSpread extends WitnessedSpread {
  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const inner = await super.writer(name, options);
    return {
      write: (bytes) => inner.write(bytes),
      commit: (check) => inner.commit(check),
      abort: () => inner.abort(),
    };
  }
}

/** Spoils blocks of parity as they pass, and makes their hashes right again. */
class ParitySpoiler extends ForwardingStorage {
  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const inner = await super.writer(name, options);
    const write = (bytes: Uint8Array) => {
      const spoiled = Buffer.from(bytes);
      for (let start = 0; start < spoiled.length; start += blockSizeBytes) {
        const block = spoiled.subarray(start, start + blockSizeBytes);
        if (block[28] !== shardBlockKind.parity) continue;
        block[100] = (block[100] ?? 0) ^ 1;
        hashBlock(block);
      }
      return inner.write(spoiled);
    };
    return { write, commit: (check) => inner.commit(check), abort: () => inner.abort() };
  }
}

/** The last shard's blocks of parity are those of something else, with hashes that are right: no check of blocks tells. */
export function spoilsParity(place: SpreadPlace, options: SpreadStorageOptions): WitnessedSpread {
  const members = options.members.map(({ label, storage }, index) => {
    if (index < options.members.length - 1) return { label, storage };
    return { label, storage: new ParitySpoiler(storage) };
  });
  return new WitnessedSpread(place, { ...options, members });
}

/** Every writing of a name has the same tag: a new archive takes the place of the old one shard by shard. */
export function ofOneTag(place: SpreadPlace, options: SpreadStorageOptions): WitnessedSpread {
  return new WitnessedSpread(place, { ...options, random: { bytes: (sizeBytes) => new Uint8Array(sizeBytes) } });
}
