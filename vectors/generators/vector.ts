import { identityOf, recipientOf } from '../age-file.ts';
import {
  type Bends,
  blockSize,
  type ReferenceEntry,
  SeededBytes,
  type Specification,
  sha256,
  type Written,
  writeArchive,
} from '../reference-writer.ts';

/** One archive with one fault, and what a reader has to answer. */
export interface Vector {
  readonly name: string;
  /** The fault, and why the answer is what it is. */
  readonly describes: string;
  readonly passphrase?: string;
  readonly identity?: string;
  /** `ok`, or the code of the error that a full restore ends with. */
  readonly expect: string;
  /** `intact`, `repairable`, `lost`, or the code of the error that a check of the contents ends with. */
  readonly verifyState: string;
  /** Entries that cannot be had while the others can. */
  readonly lostEntries?: readonly string[];
  /** Entries that are not given out without being lost: their kind is not known. */
  readonly passedOver?: readonly string[];
  readonly blocks?: { readonly damaged: number; readonly solved: number; readonly lost: number };
  /** False where a library or tool outside decides the bytes: those archives are kept as they were made once. */
  readonly deterministic?: boolean;
  make(): Made;
}

/** What a generator made: the file, and the entries that went in. */
export interface Made {
  readonly file: Buffer;
  readonly entries: Written['entries'];
}

/** Bytes that look random, from a seed. */
export function bytes(seed: string, length: number): Buffer {
  return new SeededBytes(seed).next(length);
}

export function file(path: string, length: number): ReferenceEntry {
  return { path, kind: 'file', bytes: bytes(path, length) };
}

export function directory(path: string): ReferenceEntry {
  const metadata = { mode: 0o755, mtimeNs: '1700000000000000000', uid: 0, gid: 0 };
  return { path, kind: 'directory', bytes: Buffer.alloc(0), metadata };
}

/** A folder with two files, for faults above the blocks: one data block. */
export const smallEntries = [directory('files/docs'), file('files/docs/a.txt', 300), file('files/docs/b.bin', 900)];

/** The small archive: cipher none, codec none, one copy, 9 blocks. */
export function small(specification: Partial<Specification> = {}): Written {
  return writeArchive({ seed: 'small', entries: smallEntries, ...specification });
}

/** The small archive with a fault. */
export function bent(bends: Bends, specification: Partial<Specification> = {}): Written {
  return small({ ...specification, bends });
}

/** Two files in four data blocks (the first alone in the first of them: 4,016 bytes and their tag) with three rows of parity: positions 0-2 header, 3-6 data, 7-9 parity, 10-12 final header. */
export const blockEntries = [file('files/docs/a.bin', 4016), file('files/docs/b.bin', 9000)];

/** The archive of faults in blocks: two copies of 13 blocks unless set. */
export function blocky(specification: Partial<Specification> = {}): Written {
  const base = { seed: 'blocks', entries: blockEntries, parityBlocks: 3, segmentSize: 4016, copies: 2 };
  return writeArchive({ ...base, ...specification });
}

/** Blocks of one copy of the archive of faults in blocks. */
export const blockyCount = 13;

/** Changes a byte. */
export function flip(file: Buffer, offset: number): void {
  file[offset] = file[offset]! ^ 0x55;
}

/** Overwrites a block with zeros. */
export function wipe(file: Buffer, block: number, count = 1): void {
  file.fill(0, block * blockSize, (block + count) * blockSize);
}

/** What a change of the bytes of the archive of faults in blocks makes. */
export function changed(
  change: (file: Buffer) => Buffer | undefined,
  specification: Partial<Specification> = {},
): Made {
  const written = blocky(specification);
  return { file: change(written.file) ?? written.file, entries: written.entries };
}

const secretA = sha256('identity A');
const secretB = sha256('identity B');

/** An age identity and its recipient. */
export const ageA = { identity: identityOf(secretA), recipient: recipientOf(secretA) };
export const ageB = { identity: identityOf(secretB), recipient: recipientOf(secretB) };

/** Sealed for identity A. */
export const ageSlots = [{ type: 'age', key: ageA.recipient }] as const;
