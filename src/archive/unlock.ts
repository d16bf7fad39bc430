import { HoldfastError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { checkHeaderCode, type Header, slotType } from './header.ts';
import { openAgeSlot } from './seal/age-slot.ts';
import { type ArchiveKeys, deriveKeys } from './seal/key-schedule.ts';
import { checkPassphraseSlot, openPassphraseSlot } from './seal/passphrase-slot.ts';

/** What may open an archive. */
export interface UnlockKeys {
  readonly passphrases?: readonly Secret[];
  readonly identities?: readonly Secret[];
  /** The data key itself, where a run has it at hand: no slot is opened. */
  readonly dataKey?: Uint8Array;
}

export interface Unlocked {
  readonly dataKey: Uint8Array;
  readonly keys: ArchiveKeys;
}

async function findDataKey(header: Header, keys: UnlockKeys): Promise<Uint8Array | undefined> {
  const { archiveId, slots } = header;
  const passphraseSlots = slots.filter((slot) => slot.type === slotType.passphrase);
  for (const slot of passphraseSlots) checkPassphraseSlot(slot.body);
  for (const identity of keys.identities ?? []) {
    for (const slot of slots.filter(({ type }) => type === slotType.age)) {
      const dataKey = await openAgeSlot(slot.body, identity);
      if (dataKey !== undefined) return dataKey;
    }
  }
  for (const passphrase of keys.passphrases ?? []) {
    for (const slot of passphraseSlots) {
      const dataKey = await openPassphraseSlot(slot.body, passphrase, archiveId);
      if (dataKey !== undefined) return dataKey;
    }
  }
  return undefined;
}

/** Whether any key was given at all. */
export function hasKeys(keys: UnlockKeys | undefined): boolean {
  return (keys?.passphrases?.length ?? 0) + (keys?.identities?.length ?? 0) > 0;
}

/**
 * Opens a header with a key and checks its code; undefined where the archive is not encrypted.
 * Throws `key.missing`, `key.wrong`, `key.invalid`, `archive.corrupt`.
 */
export async function unlock(
  header: Header,
  encoded: Uint8Array,
  keys: UnlockKeys | undefined,
): Promise<Unlocked | undefined> {
  if (header.cipher === 'none') {
    checkHeaderCode(encoded, undefined);
    return undefined;
  }
  const known = keys?.dataKey;
  if (keys === undefined || (known === undefined && !hasKeys(keys)))
    throw new HoldfastError('key.missing', { message: 'this archive is encrypted: a key is needed' });
  const dataKey = known ?? (await findDataKey(header, keys));
  if (dataKey === undefined) throw new HoldfastError('key.wrong');
  const derived = deriveKeys(dataKey, header.archiveId);
  checkHeaderCode(encoded, derived.header);
  return { dataKey, keys: derived };
}
