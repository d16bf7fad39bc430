/** The place over which a simulated world spreads archives, as one storage: what its shards give together, by a model apart from the code that reads them. */
import assert from 'node:assert/strict';
import { SpreadAccess } from '../../src/archive/spread/spread-access.ts';
import { memoryRandomAccess } from '../../src/storage/memory/memory-storage.ts';
import { SpreadStorage } from '../../src/storage/spread/spread-storage.ts';
import type { StorageWriter, WriterOptions } from '../../src/storage/storage.ts';
import { isArchiveName } from './truth.ts';
import { type Change, WorldStorage } from './world-storage.ts';

const blockBytes = 4096;
/** Before the rows of a shard, and after them. */
const leadBytes = 2 * blockBytes;
const rowsAtMost = 4096;
const shardPattern = /^(.+\.holdfast)\.(\d+)of\d+\.([0-9a-f]{8})\.(\d+|gone)$/;
/** Stands for what is no archive that anybody wrote. */
const nobodys = new TextEncoder().encode('no archive that was written');

interface Shape {
  readonly data: number;
  readonly parity: number;
}

/** A shard that is there, by its place in the order. */
interface Shard {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
}

/** Shards that were written together. */
interface ShardSet {
  readonly key: string;
  readonly tag: string;
  readonly shards: readonly Shard[];
  readonly isGone: boolean;
}

/** What is known of a set since its first shard appeared. */
interface Known {
  /** The archive that it was made of; undefined where nobody wrote such a one. */
  readonly archive: Uint8Array | undefined;
  /** Shards as they first appeared. */
  readonly pristine: Map<number, Uint8Array>;
  /** Shards of parity that were seen to give the archive back. */
  readonly proven: Set<number>;
}

function blockAt(bytes: Uint8Array, block: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).subarray(
    block * blockBytes,
    (block + 1) * blockBytes,
  );
}

function isHeader(archive: Uint8Array, block: number): boolean {
  const kind = archive[block * blockBytes + 28];
  return kind === 0 || kind === 3;
}

/** Storages that hold shards, seen as the one that they are together. Its objects are made anew whenever one of theirs changes. */
export class SpreadPlace extends WorldStorage {
  readonly shape: Shape;
  readonly members: readonly WorldStorage[];
  /** What was ever handed over to be spread. */
  readonly written: Uint8Array[] = [];
  /** Shards that appeared, and do not hold what they should. */
  readonly flaws: string[] = [];
  readonly #known = new Map<string, Known>();

  constructor(label: string, members: readonly WorldStorage[], shape: Shape) {
    super(label, undefined);
    assert.equal(members.length, shape.data + shape.parity);
    this.members = members;
    this.shape = shape;
  }

  override url(name: string): string {
    return `spread:${name}`;
  }

  /** Shards where they lie, in order. */
  shards(): { readonly member: WorldStorage; readonly name: string; readonly archiveName: string }[] {
    return this.members.flatMap((member) =>
      [...member.objects.keys()].sort().flatMap((name) => {
        const [, archiveName, , , end] = shardPattern.exec(name) ?? [];
        return archiveName === undefined || end === 'gone' ? [] : [{ member, name, archiveName }];
      }),
    );
  }

  /** Takes note that a member has another object of a name, or none; gives what became of the archive, or the mark, that it belongs to. */
  refresh(objectName: string): Change | undefined {
    const [, archiveName, , tag = '', end] = shardPattern.exec(objectName) ?? [];
    const name = archiveName ?? objectName;
    if (archiveName !== undefined && end !== undefined && end !== 'gone') this.#meet(`${name} ${tag}`, objectName);
    const before = this.objects.get(name);
    const now = isArchiveName(name) ? this.#archive(name) : this.#mirrored(name);
    if (before !== undefined && now !== undefined && Buffer.compare(before.bytes, now.bytes) === 0) {
      this.objects.set(name, { ...now, bytes: before.bytes });
      return undefined;
    }
    if (now === undefined) this.objects.delete(name);
    else this.objects.set(name, now);
    return before === now ? undefined : { storage: this, name, bytes: now?.bytes };
  }

  /** Whether every shard of an archive is there, as it was. */
  isComplete(name: string): boolean {
    const set = this.#chosen(name);
    const known = this.#known.get(set?.key ?? '');
    if (set === undefined || known === undefined) return false;
    const there = new Set(
      set.shards
        .filter(({ index, bytes }) => known.pristine.get(index) === bytes || isSame(known, index, bytes))
        .map(({ index }) => index),
    );
    return there.size === this.members.length;
  }

  /** Whether shards of parity give back what they are for, each of them once. Throws where they give something else. */
  async prove(): Promise<void> {
    for (const [key, { archive, pristine, proven }] of this.#known) {
      for (const index of pristine.keys()) {
        if (index < this.shape.data || proven.has(index) || pristine.size < this.shape.data) continue;
        const others = [...pristine.keys()].filter((other) => other !== index).sort((one, other) => other - one);
        const chosen = [index, ...others].slice(0, this.shape.data);
        const shards = chosen.map((one) => {
          return { access: memoryRandomAccess(pristine.get(one) ?? nobodys), label: `${one}`, index: one };
        });
        const access = await SpreadAccess.open({ shards });
        const bytes = new Uint8Array(access.sizeBytes);
        await access.read(0, bytes);
        if (archive === undefined || Buffer.compare(bytes, archive) !== 0)
          this.flaws.push(`${key}: ${chosen.join(', ')} give another archive`);
        proven.add(index);
      }
    }
  }

  /** Takes note of a shard as it appears, or changes at rest: what it is at first is what was written. */
  #meet(key: string, objectName: string): void {
    const index = Number(objectName.split('.').at(-1)) - 1;
    const found = this.members.find(({ objects }) => objects.has(objectName))?.objects.get(objectName);
    if (found === undefined) return;
    const known = this.#known.get(key) ?? this.#meetSet(found.bytes);
    this.#known.set(key, known);
    if (known.pristine.has(index)) return;
    known.pristine.set(index, found.bytes);
    const rows = this.#rows(index, known.archive);
    const isAsWritten = rows.every(
      (row) => index >= this.shape.data || this.#isGood(known, { index, bytes: found.bytes }, row),
    );
    const isLong = found.bytes.length === rows.length * blockBytes + 2 * leadBytes;
    if (!isAsWritten || !isLong) this.flaws.push(`${objectName} is not as it was written`);
  }

  #meetSet(shard: Uint8Array): Known {
    const archive = this.written.findLast((bytes) => blockAt(bytes, 0).equals(blockAt(shard, 1)));
    assert((archive?.length ?? 0) <= rowsAtMost * this.shape.data * blockBytes, 'archives of worlds are small');
    return { archive, pristine: new Map(), proven: new Set() };
  }

  /** The rows that a shard has. */
  #rows(index: number, archive: Uint8Array | undefined): number[] {
    const blocks = (archive?.length ?? 0) / blockBytes;
    const first = index < this.shape.data ? index : 0;
    return Array.from({ length: Math.max(0, Math.ceil((blocks - first) / this.shape.data)) }, (_, row) => row);
  }

  /** Whether a shard has the block of a row that it should have: block b of the archive is in row floor(b / k) of shard b mod k. */
  #isGood(
    { archive = nobodys, pristine }: Known,
    { index, bytes }: Pick<Shard, 'index' | 'bytes'>,
    row: number,
  ): boolean {
    const found = blockAt(bytes, row + 2);
    const wanted =
      index < this.shape.data
        ? blockAt(archive, row * this.shape.data + index)
        : blockAt(pristine.get(index) ?? nobodys, row + 2);
    return wanted.length === blockBytes && found.equals(wanted);
  }

  #sets(name: string): ShardSet[] {
    const sets = new Map<string, { key: string; tag: string; shards: Shard[]; isGone: boolean }>();
    for (const { objects } of this.members) {
      for (const [objectName, { bytes, modifiedMs }] of objects) {
        const [, archiveName, , tag = '', end = ''] = shardPattern.exec(objectName) ?? [];
        if (archiveName !== name) continue;
        const key = `${name} ${tag}`;
        const set = sets.get(key) ?? { key, tag, shards: [], isGone: false };
        sets.set(key, set);
        if (end === 'gone') set.isGone = true;
        else set.shards.push({ index: Number(end) - 1, bytes, modifiedMs });
      }
    }
    return [...sets.values()];
  }

  /** Of several writings of one name the newest that is there counts. */
  #chosen(name: string): ShardSet | undefined {
    const latest = ({ shards }: ShardSet) => Math.max(...shards.map(({ modifiedMs }) => modifiedMs));
    return this.#sets(name)
      .filter(({ shards, isGone }) => !isGone && new Set(shards.map(({ index }) => index)).size >= this.shape.data)
      .sort((one, other) => latest(other) - latest(one) || (one.tag < other.tag ? 1 : -1))[0];
  }

  #archive(name: string) {
    const set = this.#chosen(name);
    if (set === undefined) return undefined;
    const known = this.#known.get(set.key);
    const sizeBytes = set.shards.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const modifiedMs = Math.max(...set.shards.map((shard) => shard.modifiedMs));
    return { bytes: known === undefined ? nobodys : this.#joined(known, set.shards), modifiedMs, sizeBytes };
  }

  /** What shards give: of each row all of it where k blocks of it are good, else those that are. The rest is zeros. */
  #joined(known: Known, shards: readonly Shard[]): Uint8Array {
    const { archive } = known;
    if (archive === undefined) return nobodys;
    const { data } = this.shape;
    const blocks = archive.length / blockBytes;
    const lost: number[] = [];
    if (!this.#hasHeader(known, shards))
      for (let block = 0; block < blocks; block++) if (isHeader(archive, block)) lost.push(block);
    for (let row = 0; row * data < blocks; row++) {
      const positions = Array.from({ length: data }, (_, index) => row * data + index);
      // A header stands in every shard, and is nothing to the code.
      const isKnown = (block: number) => block >= blocks || isHeader(archive, block);
      const good = shards.filter(
        (shard) => !(shard.index < data && isKnown(row * data + shard.index)) && this.#isGood(known, shard, row),
      );
      if (positions.filter(isKnown).length + new Set(good.map(({ index }) => index)).size >= data) continue;
      lost.push(...positions.filter((block) => !isKnown(block) && !good.some(({ index }) => index === block % data)));
    }
    if (lost.length === 0) return archive;
    const bytes = archive.slice();
    for (const block of lost) blockAt(bytes, block).fill(0);
    return bytes;
  }

  /** Whether one of the shards tells for sure of which archive it is, and how large that is: its end does. */
  #hasHeader({ archive = nobodys, pristine }: Known, shards: readonly Shard[]): boolean {
    return shards.some(({ index, bytes }) => {
      const first = pristine.get(index);
      if (first?.length !== bytes.length) return false;
      const end = bytes.length / blockBytes - 2;
      return blockAt(bytes, end).equals(blockAt(first, end)) && blockAt(bytes, end + 1).equals(blockAt(archive, 0));
    });
  }

  /** Marks stand whole on each member. */
  #mirrored(name: string) {
    return this.members.map(({ objects }) => objects.get(name)).find((object) => object !== undefined);
  }
}

function isSame({ pristine }: Known, index: number, bytes: Uint8Array): boolean {
  const first = pristine.get(index);
  return first !== undefined && Buffer.compare(first, bytes) === 0;
}

/** The product's way to a place of spread archives, which lets the world see what is handed to it. */
export class WitnessedSpread extends SpreadStorage {
  readonly #place: SpreadPlace;

  constructor(place: SpreadPlace, options: ConstructorParameters<typeof SpreadStorage>[0]) {
    super(options);
    this.#place = place;
  }

  override async writer(name: string, options: WriterOptions): Promise<StorageWriter> {
    const inner = await super.writer(name, options);
    if (!isArchiveName(name)) return inner;
    const pieces: Uint8Array[] = [];
    const place = this.#place;
    return {
      write: (bytes) => {
        pieces.push(bytes.slice());
        return inner.write(bytes);
      },
      commit: (check) => {
        place.written.push(new Uint8Array(Buffer.concat(pieces)));
        return inner.commit(check);
      },
      abort: () => inner.abort(),
      get parts() {
        return inner.parts;
      },
    };
  }
}
