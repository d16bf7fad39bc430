import { encodeHeader, type Header } from '../archive/header.ts';
import { BlockStore } from '../archive/heal/block-store.ts';
import { sweep } from '../archive/heal/sweep.ts';
import { unlock } from '../archive/unlock.ts';
import { systemClock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { systemRandom } from '../random.ts';
import { type WritableLocation, withSources, writableLocation } from './location.ts';
import type { KeySlot, OpenKeys, RunOptions, SealKeys } from './options.ts';
import { rewriteArchive } from './rewrite.ts';
import { withWorkers } from './run.ts';
import { makeSlots } from './seal-archive.ts';
import { keySlots } from './summary.ts';

/** How {@link addKeySlots} changes an archive. */
export interface AddKeySlotsOptions extends RunOptions {
  /** A path on local disk, or an object in a storage. */
  readonly archive: string | WritableLocation;
  /** What opens it now. */
  readonly keys: OpenKeys;
  readonly add: SealKeys;
  /** Stands in clear in the header; 64 bytes at most. */
  readonly label?: string;
}

/** How {@link removeKeySlot} changes an archive. */
export interface RemoveKeySlotOptions extends RunOptions {
  /** A path on local disk, or an object in a storage. */
  readonly archive: string | WritableLocation;
  readonly keys: OpenKeys;
  /** Hex, as {@link KeySlot.id}. */
  readonly slotId: string;
}

/** Writes the archive anew with another header, and its payload as it is. */
async function changeSlots(
  options: RunOptions & { readonly archive: string | WritableLocation; readonly keys: OpenKeys },
  change: (header: Header, dataKey: Uint8Array) => Promise<Header['slots']>,
): Promise<Header> {
  return await withSources([options.archive], (sources) =>
    withWorkers(options, async (workers) => {
      const store = await BlockStore.open({ sources, workers, signal: options.signal });
      const unlocked = await unlock(store.header, store.headerBody, options.keys);
      if (unlocked === undefined) {
        throw new HoldfastError('usage.invalid', { message: 'this archive is not encrypted: it has no keys' });
      }
      const slots = await change(store.header, unlocked.dataKey);
      const header = { ...store.header, slots, generation: store.header.generation + 1 };
      const encoded = encodeHeader(header, unlocked.keys.header);
      const { tally } = await sweep({ store });
      if (tally.lost > 0) throw new HoldfastError('archive.damaged');
      const output = writableLocation(options.archive);
      await rewriteArchive({ store, workers, header: encoded, output, allowLost: false, run: options });
      return header;
    }),
  );
}

/**
 * Adds a key slot for each new key. The archive is written anew beside itself and put in place by one rename; its payload is not
 * encrypted again. Gives all slots.
 *
 * Throws `key.missing`, `key.wrong`, `key.invalid`, `key.slots_full`, `archive.damaged`, and what {@link repairArchive} throws.
 *
 * @example
 * await addKeySlots({ archive: 'shop.holdfast', keys: { passphrases: [old] }, add: { recipients: ['age1…'] }, label: 'offline' });
 */
export async function addKeySlots(options: AddKeySlotsOptions): Promise<KeySlot[]> {
  const { add, label } = options;
  if ((add.passphrases?.length ?? 0) + (add.recipients?.length ?? 0) === 0) {
    throw new HoldfastError('key.missing', { message: 'there is no new key to add' });
  }
  const header = await changeSlots(options, async (current, dataKey) => {
    const random = options.random ?? systemRandom;
    const clock = options.clock ?? systemClock;
    const { archiveId, slots: existing } = current;
    const slotOptions = { keys: add, dataKey, archiveId, random, clock, existing };
    return [...existing, ...(await makeSlots(label === undefined ? slotOptions : { ...slotOptions, label }))];
  });
  return keySlots(header);
}

/**
 * Removes a key slot. Replicas that were made before still have it: whoever holds one and the key can read that.
 *
 * Throws `key.missing`, `key.wrong`, `key.slot_not_found`, `key.last_slot`, and what {@link repairArchive} throws.
 *
 * @example
 * await removeKeySlot({ archive: 'shop.holdfast', keys: { passphrases: [passphrase] }, slotId: '1f00ab34' });
 */
export async function removeKeySlot(options: RemoveKeySlotOptions): Promise<void> {
  await changeSlots(options, async ({ slots }) => {
    const left = slots.filter((slot) => Buffer.from(slot.id).toString('hex') !== options.slotId.toLowerCase());
    if (left.length === slots.length) throw new HoldfastError('key.slot_not_found');
    if (left.length === 0) throw new HoldfastError('key.last_slot');
    return left;
  });
}
