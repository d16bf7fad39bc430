import { createHash } from 'node:crypto';
import { ArchiveReader } from '../../src/archive/archive-reader.ts';
import { ArchiveWriter } from '../../src/archive/archive-writer.ts';
import type { IndexEntry } from '../../src/archive/entry/entry.ts';
import type { Header } from '../../src/archive/header.ts';
import type { RandomAccess } from '../../src/archive/random-access.ts';
import { sealPassphraseSlot } from '../../src/archive/seal/passphrase-slot.ts';
import type { UnlockKeys } from '../../src/archive/unlock.ts';
import type { WorkerPool } from '../../src/archive/worker/worker-pool.ts';
import { HoldfastError } from '../../src/errors.ts';
import { Secret } from '../../src/secret.ts';
import { memoryRandomAccess, SeededRandom } from '../../src/testing/index.ts';

/** An archive to be damaged, and what it holds. */
export interface Subject {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly header: Header;
  readonly blocksPerCopy: number;
  readonly keys: UnlockKeys;
  /** SHA-256 by path, from the data before it went in. */
  readonly truth: ReadonlyMap<string, string>;
}

/** What came of reading a damaged archive. */
export type Outcome =
  | { readonly kind: 'recovered' }
  /** Refused with a typed error, or some entries were; those that were given are right. */
  | { readonly kind: 'refused'; readonly code: string; readonly lost: number; readonly right: number }
  /** A wrong byte was given out, or an error has no code: never allowed. */
  | { readonly kind: 'wrong'; readonly what: string };

export interface SubjectOptions {
  readonly name: string;
  readonly seed: number;
  readonly sizeBytes: number;
  readonly copies: number;
  readonly dataBlocks?: number;
  readonly parityBlocks?: number;
}

const textPieces = ['INSERT INTO orders VALUES (', "'Zürich'", ', 1299, ', 'NULL', "'2025-01-15'", ');\n'];

/** A file: every other one is text that compresses, the others do not. */
function contents(random: SeededRandom, index: number, sizeBytes: number): Uint8Array {
  if (index % 2 === 0) return random.bytes(sizeBytes);
  let text = '';
  while (text.length < sizeBytes) text += `${textPieces[random.integer(textPieces.length)]}${random.integer(100_000)}`;
  return Buffer.from(text.slice(0, sizeBytes));
}

/** Makes an archive in memory; the same seed gives the same one. */
export async function makeSubject(workers: WorkerPool, options: SubjectOptions): Promise<Subject> {
  const random = new SeededRandom(options.seed);
  const archiveId = random.bytes(16);
  const dataKey = random.bytes(32);
  const body = await sealPassphraseSlot({ passphrase: new Secret('damage'), dataKey, archiveId, random });
  const header: Header = {
    archiveId,
    createdMs: 1_736_899_200_000,
    cipher: 'aes-256-gcm',
    codec: 'zstd',
    copies: options.copies,
    dataBlocks: options.dataBlocks ?? 239,
    parityBlocks: options.parityBlocks ?? 16,
    segmentSizeBytes: 256 * 1024,
    generation: 0,
    slots: [{ type: 1, id: random.bytes(4), createdMs: 0, label: '', body }],
  };
  const chunks: Uint8Array[] = [];
  const sink = async (bytes: Uint8Array) => {
    chunks.push(bytes.slice());
  };
  const writer = await ArchiveWriter.create({ header, dataKey, workers, sink });
  const truth = new Map<string, string>();
  let left = options.sizeBytes;
  for (let index = 0; left > 0; index++) {
    const sizeBytes = Math.min(left, 1 + random.integer(Math.max(2, Math.floor(options.sizeBytes / 6))));
    const bytes = contents(random, index, sizeBytes);
    const path = `files/data/${index}.bin`;
    truth.set(path, createHash('sha256').update(bytes).digest('hex'));
    const stream = async function* () {
      yield bytes;
    };
    await writer.add({ path, kind: 'file', metadata: { mode: 0o644 } }, stream());
    left -= sizeBytes;
  }
  const { layout } = await writer.finish();
  const copy = Buffer.concat(chunks);
  const bytes = new Uint8Array(Buffer.concat(Array.from({ length: options.copies }, () => copy)));
  return { name: options.name, bytes, header, blocksPerCopy: layout.totalBlocks, keys: { dataKey }, truth };
}

/** Reads everything of one or more damaged replicas and judges it. */
export async function judge(
  workers: WorkerPool,
  subject: Subject,
  replicas: readonly (Uint8Array | RandomAccess)[],
): Promise<Outcome> {
  const lost: string[] = [];
  let right = 0;
  let code = '';
  try {
    const sources = replicas.map((bytes) => (bytes instanceof Uint8Array ? memoryRandomAccess(bytes) : bytes));
    const reader = await ArchiveReader.open({ sources, workers, keys: subject.keys });
    const entries: IndexEntry[] = [];
    for await (const entry of reader.entries()) entries.push(entry);
    if (entries.length !== subject.truth.size) return { kind: 'wrong', what: 'entries are missing from the index' };
    const segments = reader.segmentsFor(entries);
    for (const entry of entries) {
      const hash = createHash('sha256');
      try {
        for await (const chunk of reader.read(entry, segments)) hash.update(chunk);
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        code = error.code;
        lost.push(entry.path);
        continue;
      }
      if (hash.digest('hex') !== subject.truth.get(entry.path)) return { kind: 'wrong', what: `${entry.path} differs` };
      right++;
    }
  } catch (error) {
    if (!(error instanceof HoldfastError))
      return { kind: 'wrong', what: String(error instanceof Error ? error.stack : error) };
    return { kind: 'refused', code: error.code, lost: subject.truth.size, right: 0 };
  }
  return lost.length === 0 ? { kind: 'recovered' } : { kind: 'refused', code, lost: lost.length, right };
}
