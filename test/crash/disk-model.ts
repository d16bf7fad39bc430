/** A disk that loses what was not synced: what stands on it after a crash, from the changes of a trace. */
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { SeededRandom } from '../../src/testing/seeded-random.ts';
import type { DiskChange } from './trace.ts';

const sectorBytes = 512;

interface FileChange {
  readonly index: number;
  readonly sizeBytes?: number;
  readonly offset?: number;
  readonly bytes?: Uint8Array;
}

type Node =
  | { readonly kind: 'file'; synced: Uint8Array; live: Uint8Array; pending: FileChange[] }
  | { readonly kind: 'folder'; readonly synced: Map<string, Node>; readonly live: Map<string, Node> }
  | { readonly kind: 'link'; readonly target: string };

type Folder = Extract<Node, { kind: 'folder' }>;

/** A change of names: entries that go and come at once. */
interface NameChange {
  readonly index: number;
  readonly removes: readonly { readonly folder: Folder; readonly name: string; readonly node: Node }[];
  readonly adds: readonly { readonly folder: Folder; readonly name: string; readonly node: Node }[];
}

/** What of the changes that were not synced is there after a crash. */
export interface Loss {
  /** `some`: the first so many, as a journal has them; `any`: each or not, as nothing forbids. */
  readonly names: 'all' | 'none' | 'some' | 'any';
  /** `some`: each write or not, and parts of writes. */
  readonly contents: 'all' | 'none' | 'some';
}

/** What stands on the disk: contents of files by path; folders end with `/`, and links tell their target. */
export type Image = ReadonlyMap<string, Uint8Array | string>;

function changed(bytes: Uint8Array, { sizeBytes, offset = 0, bytes: written }: FileChange): Uint8Array {
  if (sizeBytes !== undefined) {
    const result = new Uint8Array(sizeBytes);
    result.set(bytes.subarray(0, sizeBytes));
    return result;
  }
  const part = written ?? new Uint8Array();
  const result = new Uint8Array(Math.max(bytes.length, offset + part.length));
  result.set(bytes);
  result.set(part, offset);
  return result;
}

/** What a disk took of a write in which the power went: some of its sectors. */
function torn(change: FileChange, random: SeededRandom): FileChange {
  const { bytes } = change;
  if (bytes === undefined) return change;
  const kept = sectorBytes * random.integer(1 + Math.ceil(bytes.length / sectorBytes));
  return { ...change, bytes: bytes.subarray(0, Math.min(kept, bytes.length)) };
}

/** The disk below a folder, from what stands there on. */
export class DiskModel {
  readonly #root: string;
  readonly #top: Folder;
  #names: NameChange[] = [];
  readonly #files = new Set<Extract<Node, { kind: 'file' }>>();

  constructor(root: string) {
    this.#root = root;
    this.#top = this.#read(root) as Folder;
  }

  /** Does the change with this number. */
  apply(change: DiskChange, index: number): void {
    switch (change.kind) {
      case 'open': {
        const file = this.#find(change.path);
        if (file === undefined && change.isNew) this.#add(change.path, newFile(this.#files), index);
        if (change.isEmptied && file?.kind === 'file' && file.live.length > 0)
          this.#write(file, { index, sizeBytes: 0 });
        return;
      }
      case 'write':
      case 'truncate':
        this.#change(change, index);
        return;
      case 'copy': {
        const from = this.#find(change.from);
        if (from?.kind !== 'file') throw new Error(`${change.from} is copied, and is not there`);
        const bytes = from.live.slice(change.fromOffset, change.fromOffset + change.length);
        this.#change({ kind: 'write', path: change.path, offset: change.offset, bytes }, index);
        return;
      }
      case 'sync':
        this.#sync(change.path, change.begunAt);
        return;
      case 'symlink':
        this.#add(change.path, { kind: 'link', target: change.target }, index);
        return;
      case 'mkdir':
        this.#add(change.path, { kind: 'folder', synced: new Map(), live: new Map() }, index);
        return;
      case 'link': {
        const node = this.#find(change.from);
        if (node !== undefined) this.#add(change.path, node, index);
        return;
      }
      case 'rename':
      case 'unlink':
      case 'rmdir':
        this.#remove(change, index);
    }
  }

  /** What stands there after a crash now. */
  image(loss: Loss, random: SeededRandom): Image {
    const names = this.#namesAfter(loss.names, random);
    const entries = new Map<Folder, Map<string, Node>>();
    const entriesOf = (folder: Folder) => {
      const known = entries.get(folder) ?? new Map(folder.synced);
      entries.set(folder, known);
      return known;
    };
    for (const { removes, adds } of names) {
      for (const { folder, name, node } of removes)
        if (entriesOf(folder).get(name) === node) entriesOf(folder).delete(name);
      for (const { folder, name, node } of adds) entriesOf(folder).set(name, node);
    }
    const image = new Map<string, Uint8Array | string>();
    const contents = new Map<Node, Uint8Array>();
    const walk = (folder: Folder, base: string) => {
      for (const [name, node] of [...(entries.get(folder) ?? folder.synced)].sort(([one], [other]) =>
        one < other ? -1 : 1,
      )) {
        const path = `${base}${name}`;
        if (node.kind === 'folder') {
          image.set(`${path}/`, '');
          walk(node, `${path}/`);
        } else if (node.kind === 'link') image.set(path, node.target);
        else {
          const bytes = contents.get(node) ?? contentsAfter(node, loss.contents, random);
          contents.set(node, bytes);
          image.set(path, bytes);
        }
      }
    };
    walk(this.#top, '');
    return image;
  }

  #namesAfter(loss: Loss['names'], random: SeededRandom): readonly NameChange[] {
    if (loss === 'none') return [];
    if (loss === 'all') return this.#names;
    if (loss === 'some') return this.#names.slice(0, random.integer(this.#names.length + 1));
    return this.#names.filter(() => random.integer(2) === 0);
  }

  #read(path: string): Node {
    const stats = lstatSync(path);
    if (stats.isSymbolicLink()) return { kind: 'link', target: readlinkSync(path) };
    if (stats.isDirectory()) {
      const entries = readdirSync(path).map((name) => [name, this.#read(join(path, name))] as const);
      return { kind: 'folder', synced: new Map(entries), live: new Map(entries) };
    }
    const bytes = new Uint8Array(readFileSync(path));
    return { kind: 'file', synced: bytes, live: bytes, pending: [] };
  }

  #find(path: string): Node | undefined {
    const way = relative(this.#root, path);
    let node: Node | undefined = this.#top;
    for (const name of way === '' ? [] : way.split('/'))
      node = node?.kind === 'folder' ? node.live.get(name) : undefined;
    return node;
  }

  #place(path: string): { readonly folder: Folder; readonly name: string } {
    const folder = this.#find(dirname(path));
    if (folder?.kind !== 'folder') throw new Error(`${dirname(path)} is no folder`);
    return { folder, name: basename(path) };
  }

  #add(path: string, node: Node, index: number): void {
    const place = { ...this.#place(path), node };
    place.folder.live.set(place.name, node);
    this.#names.push({ index, removes: [], adds: [place] });
  }

  #remove(change: Extract<DiskChange, { kind: 'rename' | 'unlink' | 'rmdir' }>, index: number): void {
    const from = this.#place(change.kind === 'rename' ? change.from : change.path);
    const node = from.folder.live.get(from.name);
    if (node === undefined) return;
    const removes = [{ ...from, node }];
    from.folder.live.delete(from.name);
    const adds = change.kind === 'rename' ? [{ ...this.#place(change.path), node }] : [];
    for (const { folder, name } of adds) folder.live.set(name, node);
    this.#names.push({ index, removes, adds });
  }

  #change(change: Extract<DiskChange, { kind: 'write' | 'truncate' }>, index: number): void {
    const file = this.#find(change.path);
    // What has no name any more nobody finds after a crash.
    if (file?.kind !== 'file') return;
    if (change.kind === 'truncate') this.#write(file, { index, sizeBytes: change.sizeBytes });
    else {
      const offset = Number.isFinite(change.offset) ? change.offset : file.live.length;
      this.#write(file, { index, offset, bytes: change.bytes });
    }
  }

  #write(file: Extract<Node, { kind: 'file' }>, change: FileChange): void {
    file.live = changed(file.live, change);
    file.pending.push(change);
    this.#files.add(file);
  }

  #sync(path: string, begunAt: number): void {
    const node = this.#find(path);
    if (node?.kind === 'file') {
      for (const change of node.pending) if (change.index < begunAt) node.synced = changed(node.synced, change);
      node.pending = node.pending.filter(({ index }) => index >= begunAt);
    }
    if (node?.kind !== 'folder') return;
    const isOf = ({ removes, adds }: NameChange) => [...removes, ...adds].some(({ folder }) => folder === node);
    const done = this.#names.filter((change) => change.index < begunAt && isOf(change));
    for (const { removes, adds } of done) {
      for (const { folder, name, node: gone } of removes)
        if (folder.synced.get(name) === gone) folder.synced.delete(name);
      for (const { folder, name, node: come } of adds) folder.synced.set(name, come);
    }
    this.#names = this.#names.filter((change) => !done.includes(change));
  }
}

function newFile(files: Set<Extract<Node, { kind: 'file' }>>): Node {
  const file = { kind: 'file' as const, synced: new Uint8Array(), live: new Uint8Array(), pending: [] };
  files.add(file);
  return file;
}

function contentsAfter(
  { synced, live, pending }: Extract<Node, { kind: 'file' }>,
  loss: Loss['contents'],
  random: SeededRandom,
): Uint8Array {
  if (loss === 'all' || pending.length === 0) return live;
  if (loss === 'none') return synced;
  let bytes = synced;
  for (const change of pending) {
    const fate = random.integer(4);
    if (fate === 0) continue;
    bytes = changed(bytes, fate === 1 ? torn(change, random) : change);
  }
  return bytes;
}

/** Two images with the same digest are alike. */
export function digestOf(image: Image): string {
  const hash = createHash('sha256');
  for (const [path, content] of image) hash.update(`${path}\0${content.length}\0`).update(content);
  return hash.digest('hex');
}

/** Puts an image in the place of a folder. */
export function writeImage(image: Image, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [path, content] of image) {
    const place = join(folder, path);
    if (path.endsWith('/')) mkdirSync(place);
    else if (typeof content === 'string') symlinkSync(content, place);
    else writeFileSync(place, content);
  }
}
