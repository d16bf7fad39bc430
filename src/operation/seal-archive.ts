import { type Header, type Slot, slotType } from '../archive/header.ts';
import { sealAgeSlot } from '../archive/seal/age-slot.ts';
import { sealPassphraseSlot } from '../archive/seal/passphrase-slot.ts';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Random } from '../random.ts';
import type { SealKeys } from './options.ts';

const slotIdSizeBytes = 4;

export interface SlotOptions {
  readonly keys: SealKeys;
  readonly dataKey: Uint8Array;
  readonly archiveId: Uint8Array;
  readonly random: Random;
  readonly clock: Clock;
  readonly label?: string;
  /** Slots that are there already. */
  readonly existing?: Header['slots'];
}

/** Finds out early what is no key. Throws `key.invalid`. */
export function checkKeys({ passphrases = [], recipients = [] }: SealKeys): void {
  if (passphrases.some((passphrase) => passphrase.reveal() === '')) {
    throw new HoldfastError('key.invalid', { message: 'the passphrase is empty' });
  }
  // An identity or a passphrase given here by mistake must not be quoted.
  if (recipients.some((recipient) => !recipient.startsWith('age1'))) {
    throw new HoldfastError('key.invalid', { message: 'what was given as a recipient is none' });
  }
}

/** A new slot for each key. Throws `key.invalid`. */
export async function makeSlots(options: SlotOptions): Promise<Slot[]> {
  const { keys, dataKey, archiveId, random, clock, label = '' } = options;
  checkKeys(keys);
  const slots: Slot[] = [];
  const taken = () => [...(options.existing ?? []), ...slots].map((slot) => Buffer.from(slot.id).toString('hex'));
  const add = (type: number, body: Uint8Array) => {
    let id = random.bytes(slotIdSizeBytes);
    while (taken().includes(Buffer.from(id).toString('hex'))) id = random.bytes(slotIdSizeBytes);
    slots.push({ type, id, createdMs: Math.floor(clock.nowMs()), label, body });
  };
  for (const passphrase of keys.passphrases ?? []) {
    add(slotType.passphrase, await sealPassphraseSlot({ passphrase, dataKey, archiveId, random }));
  }
  for (const recipient of keys.recipients ?? []) {
    add(slotType.age, await sealAgeSlot(recipient, dataKey));
  }
  return slots;
}
