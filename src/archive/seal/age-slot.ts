import { HoldfastError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import { dataKeySizeBytes } from './key-schedule.ts';

/** age slots: `docs/format.md` section 5; the body is an age v1 file that the age tool opens as it stands. */

const maximumBodyBytes = 1024;

/** A recipient is public; anything else given in its place may be a secret and is not repeated. */
function shown(recipient: string): string {
  return recipient.startsWith('age1') ? `: ${recipient.slice(0, 80)}` : '';
}

export async function sealAgeSlot(recipient: string, dataKey: Uint8Array): Promise<Uint8Array> {
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  if (!/^age1[02-9ac-hj-np-z]{58}$/.test(recipient)) {
    throw new HoldfastError('key.invalid', { message: `not an age X25519 recipient${shown(recipient)}` });
  }
  try {
    encrypter.addRecipient(recipient);
  } catch (cause) {
    throw new HoldfastError('key.invalid', { message: `not an age X25519 recipient: ${recipient}`, cause });
  }
  return await encrypter.encrypt(dataKey);
}

/** The data key, or undefined where the identity is not the slot's. Throws `key.invalid` for what is no identity. */
export async function openAgeSlot(body: Uint8Array, identity: Secret): Promise<Uint8Array | undefined> {
  if (body.length > maximumBodyBytes) {
    throw new HoldfastError('archive.corrupt', { message: 'an age slot is too long' });
  }
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  try {
    decrypter.addIdentity(identity.reveal());
  } catch {
    // The cause may quote the identity, so it is not passed on.
    throw new HoldfastError('key.invalid', { message: 'this is not an age identity' });
  }
  try {
    const dataKey = await decrypter.decrypt(body, 'uint8array');
    return dataKey.length === dataKeySizeBytes ? dataKey : undefined;
  } catch {
    // The library throws alike for a foreign identity and for a broken file; both mean that this key does not open it.
    return undefined;
  }
}
