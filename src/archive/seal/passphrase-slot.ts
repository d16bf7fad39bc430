import { argon2, createCipheriv, createDecipheriv } from 'node:crypto';
import { promisify } from 'node:util';
import { asBuffer } from '../../bytes.ts';
import { HoldfastError } from '../../errors.ts';
import type { Random } from '../../random.ts';
import type { Secret } from '../../secret.ts';
import { dataKeySizeBytes } from './key-schedule.ts';

/** Passphrase slots: `docs/format.md` section 5; Argon2id by RFC 9106. */

export interface Argon2Cost {
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}

/** RFC 9106's second recommended choice; also the least that is accepted on reading. */
export const defaultArgon2Cost: Argon2Cost = { memoryKib: 65_536, passes: 3, lanes: 4 };
const maximumCost: Argon2Cost = { memoryKib: 1_048_576, passes: 16, lanes: 16 };
const saltSizeBytes = 16;
const nonceSizeBytes = 12;
const tagSizeBytes = 16;
const nonceOffset = 12 + saltSizeBytes;
const wrappedOffset = nonceOffset + nonceSizeBytes;
const bodySizeBytes = wrappedOffset + dataKeySizeBytes + tagSizeBytes;
const deriveArgon2 = promisify(argon2);

async function keyEncryptionKey(passphrase: Secret, salt: Uint8Array, cost: Argon2Cost): Promise<Uint8Array> {
  return await deriveArgon2('argon2id', {
    message: Buffer.from(passphrase.reveal().normalize('NFC'), 'utf8'),
    nonce: salt,
    parallelism: cost.lanes,
    tagLength: dataKeySizeBytes,
    memory: cost.memoryKib,
    passes: cost.passes,
  });
}

function associatedData(archiveId: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('holdfast/1 slot', 'ascii'), archiveId]);
}

/**
 * A new slot. Its key is derived twice, and the slot opened with the second: one that was made wrongly would cost the
 * archive. Throws `archive.verify_failed` where the two differ.
 */
export async function sealPassphraseSlot(options: {
  readonly passphrase: Secret;
  readonly dataKey: Uint8Array;
  readonly archiveId: Uint8Array;
  readonly random: Random;
  readonly cost?: Argon2Cost;
}): Promise<Uint8Array> {
  const cost = options.cost ?? defaultArgon2Cost;
  const body = Buffer.alloc(bodySizeBytes);
  body.writeUInt32LE(cost.memoryKib, 0);
  body.writeUInt32LE(cost.passes, 4);
  body.writeUInt32LE(cost.lanes, 8);
  body.set(options.random.bytes(saltSizeBytes), 12);
  body.set(options.random.bytes(nonceSizeBytes), nonceOffset);
  const derive = () => keyEncryptionKey(options.passphrase, body.subarray(12, nonceOffset), cost);
  // One after the other: each takes both the cores and the memory.
  const key = await derive();
  const again = await derive();
  const cipher = createCipheriv('aes-256-gcm', key, body.subarray(nonceOffset, wrappedOffset));
  cipher.setAAD(associatedData(options.archiveId));
  body.set(Buffer.concat([cipher.update(options.dataKey), cipher.final(), cipher.getAuthTag()]), wrappedOffset);
  const opened = unwrap(body, again, options.archiveId);
  if (opened === undefined || !opened.equals(options.dataKey)) {
    throw new HoldfastError('archive.verify_failed', { message: 'a key slot that was made does not open again' });
  }
  return body;
}

/** The data key in a slot; undefined where the key is not the one that it was wrapped with. */
function unwrap(body: Buffer, key: Uint8Array, archiveId: Uint8Array): Buffer | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(nonceOffset, wrappedOffset));
  decipher.setAAD(associatedData(archiveId));
  decipher.setAuthTag(body.subarray(bodySizeBytes - tagSizeBytes));
  const opened = decipher.update(body.subarray(wrappedOffset, bodySizeBytes - tagSizeBytes));
  try {
    decipher.final();
  } catch {
    // A tag that fails is how a wrong passphrase shows; nothing that was opened leaves this function.
    return undefined;
  }
  return opened;
}

function readCost(body: Buffer): Argon2Cost {
  const cost = { memoryKib: body.readUInt32LE(0), passes: body.readUInt32LE(4), lanes: body.readUInt32LE(8) };
  for (const name of ['memoryKib', 'passes', 'lanes'] as const) {
    if (cost[name] >= defaultArgon2Cost[name] && cost[name] <= maximumCost[name]) continue;
    throw new HoldfastError('archive.corrupt', {
      message: `a key slot asks for Argon2id with ${name} ${cost[name]}; ${defaultArgon2Cost[name]} to ${maximumCost[name]} are accepted`,
    });
  }
  return cost;
}

/** Checks the form and the cost of a body before anything is derived. Throws `archive.corrupt`. */
export function checkPassphraseSlot(body: Uint8Array): void {
  if (body.length !== bodySizeBytes) {
    throw new HoldfastError('archive.corrupt', { message: 'a passphrase slot has the wrong length' });
  }
  readCost(asBuffer(body));
}

/** The data key, or undefined where the passphrase is not the slot's. */
export async function openPassphraseSlot(
  input: Uint8Array,
  passphrase: Secret,
  archiveId: Uint8Array,
): Promise<Uint8Array | undefined> {
  checkPassphraseSlot(input);
  const body = asBuffer(input);
  const key = await keyEncryptionKey(passphrase, body.subarray(12, nonceOffset), readCost(body));
  return unwrap(body, key, archiveId);
}
