import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { HoldfastError } from '../errors.ts';
import { catalogueFolder } from './catalogue-folder.ts';

/**
 * A record of the catalogue: two lines of JSON. The first one tells what was put on a storage or taken from it, the second one has the Ed25519
 * signature (RFC 8032) of the bytes of the first. The SHA-256 of the first line is the record's hash, and the next record has it.
 */

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/);
const chainSchema = z.string().regex(/^[0-9a-f]{16}$/);

const objectSchema = z.strictObject({
  name: z.string().min(1).max(4096),
  /** Hex; of a plain dump there is none. */
  archiveId: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  /** SHA-256, hex: of an archive's header without its code, of anything else its first 64 KiB. */
  digest: hashSchema,
  /** Of an archive that is laid over several storages: of all its shards together. */
  sizeBytes: z.int().min(0),
  /** The shards that such an archive has, each with the storage that took it. */
  shards: z
    .array(z.strictObject({ name: z.string().min(1).max(4200), place: z.string(), sizeBytes: z.int().min(0) }))
    .optional(),
});

const headSchema = z.strictObject({ sequence: z.int().min(1), hash: hashSchema });

/** The record that first said it. */
const originShape = { sequence: z.int().min(1), atMs: z.int() };

const recordSchema = z.strictObject({
  format: z.literal(1),
  chain: chainSchema,
  /** Of Ed25519, 32 bytes in base64. */
  publicKey: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  /** From 1 on. */
  sequence: z.int().min(1),
  /** The hash of the record before; null in the first. */
  previous: hashSchema.nullable(),
  atMs: z.int(),
  event: z.enum(['written', 'removed', 'checkpoint']),
  /** What was written or removed; of what is removed only the name is sure. */
  object: objectSchema.partial({ archiveId: true, digest: true, sizeBytes: true }).optional(),
  /** It was found there after a crash, or taken over on purpose, and not seen being written. */
  adopted: z.literal(true).optional(),
  /** Of a checkpoint: all that the chain says to be there, so that earlier records are not needed any more. */
  objects: z.array(objectSchema.extend(originShape)).optional(),
  /** Of a checkpoint: names that other chains wrote, and this one removed. */
  removals: z.array(z.strictObject({ name: objectSchema.shape.name, ...originShape })).optional(),
  /** Of a checkpoint: what was there last before it was removed or replaced. */
  removed: z.array(objectSchema).optional(),
  /** The newest records of other chains, as far as the writer knew: each storage tells of the others. */
  heads: z.record(chainSchema, headSchema.extend({ place: z.string() })),
});

/** An object as the catalogue knows it. */
export type RecordedObject = z.infer<typeof objectSchema>;
/** A shard of an archive, as the catalogue knows it. */
export type RecordedShard = NonNullable<RecordedObject['shards']>[number];
/** A record. */
export type CatalogueRecord = z.infer<typeof recordSchema>;
/** The end of a chain, which stands for all of it. */
export type ChainHead = z.infer<typeof headSchema>;

const keySizeBytes = 32;
/** The DER of a public key of Ed25519 but for the key itself (RFC 8410). */
const derPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** The public half of a key, as records have it. */
export function publicKeyText(key: KeyObject): string {
  const der = createPublicKey(key.export({ format: 'pem', type: 'pkcs8' })).export({ format: 'der', type: 'spki' });
  return der.subarray(-keySizeBytes).toString('base64');
}

/** A record as it is stored, and its hash. */
export function sealRecord(record: CatalogueRecord, key: KeyObject): { readonly text: string; readonly hash: string } {
  const line = JSON.stringify(record);
  const signature = sign(null, Buffer.from(line), key).toString('base64');
  return { text: `${line}\n${JSON.stringify({ signature })}\n`, hash: hashOf(line) };
}

function hashOf(line: string): string {
  return createHash('sha256').update(line).digest('hex');
}

/** Reads a record and checks its signature by the key that it names. Throws `catalogue.invalid`. */
export function openRecord(text: string): { readonly record: CatalogueRecord; readonly hash: string } {
  const [line = '', last = '', ...more] = text.split('\n');
  try {
    if (more.join('') !== '') throw new HoldfastError('catalogue.invalid', { message: 'it has more than two lines' });
    const record = recordSchema.parse(JSON.parse(line));
    const { signature } = z.strictObject({ signature: z.base64() }).parse(JSON.parse(last));
    const der = Buffer.concat([derPrefix, Buffer.from(record.publicKey, 'base64')]);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    if (verify(null, Buffer.from(line), key, Buffer.from(signature, 'base64'))) return { record, hash: hashOf(line) };
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw new HoldfastError('catalogue.invalid', { message: 'it is no record of a catalogue', cause });
  }
  throw new HoldfastError('catalogue.invalid', { message: 'its signature is wrong' });
}

/** The name of a record on its storage. */
export function recordName({ chain, sequence, event }: Pick<CatalogueRecord, 'chain' | 'sequence' | 'event'>): string {
  const mark = event === 'checkpoint' ? '-checkpoint' : '';
  return `${catalogueFolder}/${chain}/${String(sequence).padStart(10, '0')}${mark}.jsonl`;
}

/** What a name says of a record; undefined where it is not that of one. */
export function readRecordName(name: string): { chain: string; sequence: number; isCheckpoint: boolean } | undefined {
  const found = /^\.holdfast-catalogue\/([0-9a-f]{16})\/(\d{10})(-checkpoint)?\.jsonl$/.exec(name);
  if (found === null) return undefined;
  const [, chain = '', digits = '', mark] = found;
  return { chain, sequence: Number(digits), isCheckpoint: mark !== undefined };
}
