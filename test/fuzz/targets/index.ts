import type { FuzzTarget } from '../target.ts';
import { blocksTarget, headerTarget, indexTarget } from './archive-targets.ts';
import { listingTarget } from './listing-target.ts';
import { shardsTarget, sharesTarget } from './shard-targets.ts';
import { configTarget, cronTarget, recordTarget, urlTarget } from './text-targets.ts';
import { uploadTarget } from './upload-target.ts';

/** All targets, by name; each is made when it is asked for. */
export const fuzzTargets: Readonly<Record<string, () => Promise<FuzzTarget>>> = {
  header: async () => headerTarget,
  index: async () => indexTarget,
  blocks: blocksTarget,
  config: async () => configTarget,
  cron: async () => cronTarget,
  url: async () => urlTarget,
  upload: async () => uploadTarget,
  record: async () => recordTarget,
  listing: async () => listingTarget,
  shards: shardsTarget,
  shares: sharesTarget,
};
