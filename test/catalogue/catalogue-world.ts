/** Machines that share a history, or have their own, with storages whose keeper does what he likes behind their backs. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChainHead, publicKeyText } from '../../src/catalogue/catalogue-record.ts';
import { CatalogueWriter } from '../../src/catalogue/catalogue-writer.ts';
import { cataloguedStorage } from '../../src/catalogue/catalogued-storage.ts';
import type { Clock } from '../../src/clock.ts';
import { type History, openHistory } from '../../src/history/history.ts';
import { acceptCatalogue } from '../../src/operation/accept-catalogue.ts';
import type { CatalogueFinding } from '../../src/operation/catalogue-finding.ts';
import { learnChains, type VerifyCatalogueOptions, verifyCatalogue } from '../../src/operation/verify-catalogue.ts';
import { systemRandom } from '../../src/random.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { writeArchive } from '../end-to-end/write-archive.ts';

const archives = new Map<string, Promise<Uint8Array>>();

/** The bytes of an archive; of one content always the same. */
export function archiveOf(content: string): Promise<Uint8Array> {
  const made = archives.get(content) ?? writeArchive([{ path: 'file', bytes: content }]);
  archives.set(content, made);
  return made;
}

/** Puts an object on a storage. */
export async function put(storage: Storage, name: string, bytes: Uint8Array): Promise<void> {
  const writer = await storage.writer(name, { copies: 1 });
  await writer.write(bytes);
  await writer.commit();
}

/** All bytes of an object. */
export async function bytesOf(storage: Storage, name: string): Promise<Uint8Array> {
  const opened = await storage.open(name);
  const bytes = new Uint8Array(opened.sizeBytes);
  await opened.read(0, bytes);
  await opened.close();
  return bytes;
}

/** What a storage holds, to be put back later. */
export async function copyOf(storage: Storage, prefix = ''): Promise<Map<string, Uint8Array>> {
  const copied = new Map<string, Uint8Array>();
  for await (const { name } of storage.list(prefix)) copied.set(name, await bytesOf(storage, name));
  return copied;
}

/** Puts a storage back to what it held. */
export async function putBack(storage: Storage, kept: ReadonlyMap<string, Uint8Array>, prefix = ''): Promise<void> {
  for (const name of (await copyOf(storage, prefix)).keys()) if (!kept.has(name)) await storage.delete(name);
  for (const [name, bytes] of kept) if (name.startsWith(prefix)) await put(storage, name, bytes);
}

/** A machine: its key, its history, its storages as its commands see them. */
export class Machine {
  readonly key: KeyObject;
  readonly historyPath: string;
  readonly problems: unknown[] = [];
  readonly rollbacks: string[] = [];
  nowMs = 1_700_000_000_000;
  #history: History | undefined;
  #writer: CatalogueWriter | undefined;

  constructor(folder: string, options: { readonly key?: KeyObject } = {}) {
    this.historyPath = join(folder, 'history.db');
    this.key = options.key ?? generateKeyPairSync('ed25519').privateKey;
  }

  readonly clock: Clock = { nowMs: () => (this.nowMs += 1000), monotonicMs: () => 0 };

  async history(): Promise<History> {
    this.#history ??= await openHistory({ path: this.historyPath });
    return this.#history;
  }

  async writer(): Promise<CatalogueWriter> {
    const state = (await this.history()).catalogue;
    const onRollback = (message: string) => void this.rollbacks.push(message);
    this.#writer ??= new CatalogueWriter({
      state,
      key: this.key,
      clock: this.clock,
      random: systemRandom,
      onRollback,
    });
    return this.#writer;
  }

  /** The process ends; the next use is by a new one. */
  async restart(): Promise<void> {
    await this.#history?.close();
    this.#history = undefined;
    this.#writer = undefined;
  }

  /** The history is gone for good. */
  async loseHistory(): Promise<void> {
    await this.restart();
    for (const end of ['', '-wal', '-shm']) await rm(`${this.historyPath}${end}`, { force: true });
  }

  /** A storage with its catalogue. */
  storage(name: string, inner: Storage): Storage {
    const onProblem = (error: unknown) => void this.problems.push(error);
    return cataloguedStorage(inner, { name, open: () => this.writer(), onProblem });
  }

  async backUp(name: string, inner: Storage, content = name, storage = 'near'): Promise<void> {
    await put(this.storage(storage, inner), name, await archiveOf(content));
  }

  async verify(
    storages: Readonly<Record<string, Storage>>,
    options: Partial<VerifyCatalogueOptions> & {
      readonly expectedHeads?: readonly (ChainHead & { chain: string })[];
    } = {},
  ) {
    return await verifyCatalogue({
      storages: Object.entries(storages).map(([name, storage]) => ({ name, storage })),
      state: (await this.history()).catalogue,
      ownPublicKey: publicKeyText(this.key),
      ...options,
    });
  }

  /** What a look finds, as `kind name`. */
  async findings(storages: Readonly<Record<string, Storage>>, options: Partial<VerifyCatalogueOptions> = {}) {
    const { findings } = await this.verify(storages, options);
    return findings.map(shown).sort();
  }

  async accept(storages: Readonly<Record<string, Storage>>): Promise<void> {
    await acceptCatalogue({
      storages: Object.entries(storages).map(([name, storage]) => ({ name, storage })),
      state: (await this.history()).catalogue,
      writer: await this.writer(),
      ownPublicKey: publicKeyText(this.key),
    });
  }

  async learn(storages: Readonly<Record<string, Storage>>): Promise<string[]> {
    const named = Object.entries(storages).map(([name, storage]) => ({ name, storage }));
    return await learnChains(named, (await this.history()).catalogue);
  }
}

function shown({ kind, name }: CatalogueFinding): string {
  return name === undefined ? kind : `${kind} ${name}`;
}
