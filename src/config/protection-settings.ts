import { z } from 'zod';
import { maximumDataShards, maximumParityShards } from '../archive/spread/shard-format.ts';
import { isStorage } from '../storage/is-storage.ts';
import type { HoldfastConfig } from './config-schema.ts';
import { nearestName } from './nearest-name.ts';
import { namedStorages } from './storage-settings.ts';
import { formatSettingPath } from './substitute-variables.ts';

/** What the storage is called that lays archives over the others. */
export const spreadName = 'spread';

const spreadSchema = z.strictObject({
  /** Any so many shards restore an archive: 2 to 200. */
  data: z.int().min(2).max(maximumDataShards),
  /** So many shards may be lost: 1 to 16. */
  parity: z.int().min(1).max(maximumParityShards),
  /** The storages that take one shard each, in the order of the shards; all that are configured unless set. */
  storages: z.array(z.string().min(1)).optional(),
});

/** How archives are kept safe beyond one storage. */
export const protectionSchema = z.strictObject({
  /** Lays each archive over several storages as shards. */
  spread: spreadSchema.optional(),
});

/** Every name that a setting of the protection can have. */
export const protectionSettingNames: readonly string[] = [
  ...Object.keys(protectionSchema.shape),
  ...Object.keys(spreadSchema.shape),
];

/** The names of the storages that take shards, in the order of the shards; empty where nothing is spread. */
export function spreadStorageNames({ protection, storage }: HoldfastConfig): readonly string[] {
  if (protection?.spread === undefined) return [];
  return protection.spread.storages ?? namedStorages(storage ?? {}).map(([name]) => name);
}

/** What is wrong with the protection, beyond what its schema says. */
export function spreadProblems(config: HoldfastConfig): { readonly path: string; readonly message: string }[] {
  const { protection, storage } = config;
  const spread = protection?.spread;
  if (spread === undefined) return [];
  const path = 'protection.spread';
  const count = spread.data + spread.parity;
  const wants = `${spread.data} + ${spread.parity} shards need ${count} storages`;
  if (storage === undefined || isStorage(storage) || typeof storage.backend === 'string') {
    return [{ path, message: `${wants}, and storage is one: give ${count} by name` }];
  }
  const all = namedStorages(storage);
  const known = all.map(([name]) => name);
  const names = spreadStorageNames(config);
  const problems = names.flatMap((name, index) => {
    const place = `${path}.storages[${index}]`;
    if (names.indexOf(name) < index) return [{ path: place, message: `${name} has a shard already` }];
    if (known.includes(name)) return [];
    const nearest = nearestName(name, known);
    const advice = nearest === undefined ? `there are ${known.join(', ')}` : `did you mean ${nearest}?`;
    return [{ path: place, message: `there is no storage ${name} (${advice})` }];
  });
  if (names.length !== count) {
    problems.push({ path, message: `${wants}, and ${names.length} are named: ${names.join(', ')}` });
  }
  if (known.includes(spreadName)) {
    const message = `${spreadName} is what the archives over all storages are called: give it another name`;
    problems.push({ path: formatSettingPath(['storage', spreadName]), message });
  }
  for (const [name, given] of all) {
    if (!names.includes(name) || isStorage(given)) continue;
    for (const setting of ['copies', 'parityBlocks'] as const) {
      if (given[setting] === undefined) continue;
      const message = 'it takes shards, not whole archives: leave it out';
      problems.push({ path: formatSettingPath(['storage', name, setting]), message });
    }
  }
  const isPlain = (format: string | undefined) => (format ?? config.format) === 'plain';
  if (isPlain(undefined) || (config.databases ?? []).some(({ format }) => isPlain(format))) {
    problems.push({ path, message: 'plain dumps cannot be spread: format must be holdfast' });
  }
  if (config.copies !== undefined && config.copies > 1 && known.every((name) => names.includes(name))) {
    problems.push({ path: 'copies', message: 'what is spread has one copy, and shards for the rest: leave it out' });
  }
  return problems;
}
