/** The operations of the product as a simulated world uses them, and mistakes put into them: the oracle has to see each. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../src/errors.ts';
import { createBackup } from '../../src/operation/backup.ts';
import { addKeySlots, removeKeySlot } from '../../src/operation/keys.ts';
import { pinArchive, unpinArchive } from '../../src/operation/pin.ts';
import { pruneStorages } from '../../src/operation/prune.ts';
import { repairArchive } from '../../src/operation/repair.ts';
import { restoreBackup } from '../../src/operation/restore.ts';
import { retentionFacts } from '../../src/operation/retention-facts.ts';
import { backupOutcome, pruneOutcome, scrubOutcome, verifyOutcome } from '../../src/operation/run-outcomes.ts';
import { scrubStorages } from '../../src/operation/scrub.ts';
import { syncStorages } from '../../src/operation/sync.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import type { SpreadStorageOptions } from '../../src/storage/spread/spread-storage.ts';
import { passphraseCanary } from './canaries.ts';
import { ofOneTag, SilentSpread, seesNoShards, spoilsParity } from './spread-mistakes.ts';
import { type SpreadPlace, WitnessedSpread } from './spread-place.ts';
import type { StorageMistake } from './world-storage.ts';

const operations = {
  createBackup,
  pruneStorages,
  retentionFacts,
  scrubStorages,
  syncStorages,
  repairArchive,
  restoreBackup,
  validateBackup,
  addKeySlots,
  removeKeySlot,
  pinArchive,
  unpinArchive,
  backupOutcome,
  pruneOutcome,
  scrubOutcome,
  verifyOutcome,
  spread: (...given: [SpreadPlace, SpreadStorageOptions]) => new WitnessedSpread(...given),
};

/** What is simulated. */
export type System = typeof operations & {
  readonly storageMistake?: StorageMistake;
  readonly hidesSourceFailures?: boolean;
  readonly copiesDatabaseFiles?: boolean;
};

/** The product as it is. */
export const product: System = operations;

/** Removes every archive but the oldest. */
const pruneTheNewest: System['pruneStorages'] = async (options) => {
  const report = await pruneStorages({ ...options, dryRun: true });
  const doomed = report.archives.filter(({ keep }) => keep).slice(0, 1);
  for (const { storage, name } of doomed) {
    await options.storages.find((named) => named.name === storage)?.storage.delete(name);
  }
  return report;
};

/** A restore that writes files in place while it reads. */
const restoreInPlace: System['restoreBackup'] = async (options) => {
  try {
    return await restoreBackup(options);
  } catch (error) {
    const folder = join(options.filesTo ?? '', 'shop');
    await writeFile(join(folder, 'a.png'), 'the beginning of another').catch(() => undefined);
    throw error;
  }
};

const quotesThePassphrase: System['validateBackup'] = async (options) => {
  const report = await validateBackup(options);
  if (report.state === 'intact') return report;
  throw new HoldfastError('archive.damaged', { message: `cannot be opened with ${passphraseCanary}` });
};

/** Each makes a world that breaks a promise. */
export const mistakes: Readonly<Record<string, System>> = {
  'a storage publishes what was aborted': { ...product, storageMistake: 'publishes-at-abort' },
  'a storage publishes other bytes than were checked': { ...product, storageMistake: 'publishes-rot' },
  'a storage publishes without a check': { ...product, storageMistake: 'forgets-to-check' },
  'a storage deletes another object': { ...product, storageMistake: 'deletes-another' },
  'retention removes the newest': { ...product, pruneStorages: pruneTheNewest },
  'retention passes over failed runs': {
    ...product,
    retentionFacts: (...given) => ({ ...retentionFacts(...given), hold: () => undefined }),
  },
  'retention knows nothing of proofs': {
    ...product,
    retentionFacts: (...given) => ({ ...retentionFacts(...given), isProven: () => false, isDoubtful: () => false }),
  },
  'a source ends early without an error': { ...product, hidesSourceFailures: true },
  'a database in use is copied as a file': { ...product, copiesDatabaseFiles: true },
  'a backup is not compared with the one before': {
    ...product,
    createBackup: (options) => createBackup({ ...options, allowedFall: 1 }),
  },
  'every backup is green': {
    ...product,
    backupOutcome: (...given) => ({ ...backupOutcome(...given), state: 'succeeded' }),
  },
  'every scrub is green': {
    ...product,
    scrubOutcome: (...given) => ({ ...scrubOutcome(...given), state: 'succeeded' }),
  },
  'a check sees no damage': {
    ...product,
    validateBackup: async (options) => ({ ...(await validateBackup(options)), state: 'intact' }),
  },
  'a repair gives up what would heal': {
    ...product,
    repairArchive: async () => {
      throw new HoldfastError('archive.damaged');
    },
  },
  'a restore writes in place': { ...product, restoreBackup: restoreInPlace },
  'a message quotes the passphrase': { ...product, validateBackup: quotesThePassphrase },
  'a pin is not kept': { ...product, pinArchive: async () => undefined },
  'a check passes over lost shards': { ...product, validateBackup: seesNoShards },
  'a backup tells nothing of a storage that took no shard': {
    ...product,
    spread: (...given) => new SilentSpread(...given),
  },
  'all writings of a name have one tag': {
    ...product,
    spread: ofOneTag,
  },
  'parity over storages is that of other data': { ...product, spread: spoilsParity },
};
