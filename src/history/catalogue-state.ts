import type { Selectable } from 'kysely';
import { formatHead } from '../catalogue/chain-head.ts';
import { isRunning, processSpaceTag } from '../disk/process-life.ts';
import type { Random } from '../random.ts';
import type { CatalogueChainTable, CatalogueOutboxTable } from './catalogue-schema.ts';
import type { HistoryStore } from './history-store.ts';

/** The end of a chain, as it was written or seen last. */
export interface KnownChain {
  readonly chain: string;
  readonly place: string;
  /** What the storage is called. */
  readonly storage: string;
  readonly publicKey: string;
  /** 0 in a chain that has no record yet; its hash is empty then. */
  readonly sequence: number;
  readonly hash: string;
  readonly checkpointAt: number;
}

/** The end of a chain, to be noted elsewhere. */
export interface CatalogueHead {
  readonly storage: string;
  /** Of its writer. */
  readonly publicKey: string;
  /** As `--expect-head` takes it. */
  readonly head: string;
}

/** A record on its way to the storage. */
export type WaitingRecord = Pick<CatalogueOutboxTable, 'chain' | 'sequence' | 'name' | 'body' | 'hash'>;

/** Records that were sent, and whose places stay taken. */
const keptRecords = 16;

/** Something that was about to be done, and is not recorded as done. */
export interface Intent {
  readonly id: string;
  readonly chain: string;
  readonly event: 'written' | 'removed';
  /** JSON. */
  readonly object: string;
  readonly atMs: number;
  /** Whether its process runs, or is known to be gone; `unknown` where another machine or container began it. */
  readonly life: 'running' | 'dead' | 'unknown';
}

function toChain(row: Selectable<CatalogueChainTable>): KnownChain {
  const { chain, place, storage, public_key: publicKey, sequence, hash, checkpoint_at: checkpointAt } = row;
  return { chain, place, storage, publicKey, sequence: Number(sequence), hash, checkpointAt: Number(checkpointAt) };
}

/** What a history knows of catalogues: how far each chain has come, and what was about to be done when a process died. */
export class CatalogueState {
  readonly #store: HistoryStore;
  readonly #random: Random;

  constructor(store: HistoryStore, random: Random) {
    this.#store = store;
    this.#random = random;
  }

  /** All chains, or those of a place. */
  async chains(place?: string): Promise<KnownChain[]> {
    let query = this.#store.database.selectFrom('catalogue_chain').selectAll().orderBy('chain');
    if (place !== undefined) query = query.where('place', '=', place);
    return (await this.#store.attempt(() => query.execute())).map(toChain);
  }

  /** The ends of the chains as this history knows them: what a storage that is put back has less of. */
  async heads(): Promise<CatalogueHead[]> {
    const begun = (await this.chains()).filter(({ sequence }) => sequence > 0);
    return begun
      .map(({ storage, publicKey, ...known }) => ({ storage, publicKey, head: formatHead(known.chain, known) }))
      .sort((left, right) => (left.storage < right.storage ? -1 : 1));
  }

  /** Writes that a chain is there; one that is known, or another of this key at this place, is left as it is. */
  async begin(known: KnownChain): Promise<void> {
    const { chain, place, storage, publicKey, sequence, hash, checkpointAt } = known;
    await this.#store.attempt(() =>
      this.#store.database
        .insertInto('catalogue_chain')
        .values({ chain, place, storage, public_key: publicKey, sequence, hash, checkpoint_at: checkpointAt })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
  }

  /** Writes that the storage of a chain has another place or name by now. */
  async move(chain: string, { place, storage }: Pick<KnownChain, 'place' | 'storage'>): Promise<void> {
    const { database } = this.#store;
    await this.#store.attempt(() =>
      database.updateTable('catalogue_chain').set({ place, storage }).where('chain', '=', chain).execute(),
    );
  }

  /** Writes how far a chain was seen, if that is further than what is known. */
  async see(chain: string, { sequence, hash }: Pick<KnownChain, 'sequence' | 'hash'>): Promise<void> {
    await this.#store.attempt(() =>
      this.#store.database
        .updateTable('catalogue_chain')
        .set({ sequence, hash })
        .where('chain', '=', chain)
        .where('sequence', '<', sequence)
        .execute(),
    );
  }

  /** Takes what a storage has of a chain as right, though more was known of it. */
  async accept(chain: string, { sequence, hash }: Pick<KnownChain, 'sequence' | 'hash'>): Promise<void> {
    const { database } = this.#store;
    await this.#store.attempt(() =>
      database.updateTable('catalogue_chain').set({ sequence, hash }).where('chain', '=', chain).execute(),
    );
  }

  /** Forgets a chain: it is not on its storage any more, and that is right. */
  async forget(chain: string): Promise<void> {
    await this.#store.attempt(() =>
      this.#store.database.deleteFrom('catalogue_chain').where('chain', '=', chain).execute(),
    );
  }

  /** When a chain is summed up next. */
  async setCheckpointAt(chain: string, checkpointAt: number): Promise<void> {
    const { database } = this.#store;
    await this.#store.attempt(() =>
      database.updateTable('catalogue_chain').set({ checkpoint_at: checkpointAt }).where('chain', '=', chain).execute(),
    );
  }

  /**
   * Makes a record the end of its chain: it is part of it when it is in the outbox. False where the chain has another end by now. Each step is
   * one statement, and who comes after a process that died in between goes on from there.
   */
  async advance(from: Pick<KnownChain, 'chain' | 'sequence' | 'hash'>, record: WaitingRecord): Promise<boolean> {
    const { chain, sequence, name, body, hash } = record;
    const { database } = this.#store;
    const result = await this.#store.attempt(() =>
      database
        .insertInto('catalogue_outbox')
        .columns(['chain', 'sequence', 'name', 'body', 'hash', 'is_sent'])
        .expression(
          database
            .selectFrom('catalogue_chain')
            .select(({ val, cast }) => [
              'chain',
              cast<number>(val(sequence), 'bigint').as('sequence'),
              cast<string>(val(name), 'text').as('name'),
              cast<string>(val(body), 'text').as('body'),
              cast<string>(val(hash), 'text').as('hash'),
              cast<number>(val(0), 'integer').as('is_sent'),
            ])
            .where('chain', '=', from.chain)
            .where('sequence', '=', from.sequence)
            .where('hash', '=', from.hash),
        )
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst(),
    );
    const isDone = (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    if (isDone) await this.see(chain, { sequence, hash });
    // Whoever was quicker may have died before he could say so.
    else for (const waiting of await this.waiting(chain)) await this.see(chain, waiting);
    return isDone;
  }

  /** Records that may not be on the storage yet, in order. */
  async waiting(chain: string): Promise<WaitingRecord[]> {
    const query = this.#store.database
      .selectFrom('catalogue_outbox')
      .select(['chain', 'sequence', 'name', 'body', 'hash'])
      .where('chain', '=', chain)
      .where('is_sent', '=', 0)
      .orderBy('sequence');
    const rows = await this.#store.attempt(() => query.execute());
    return rows.map((row) => ({ ...row, sequence: Number(row.sequence) }));
  }

  /** Writes that a record is on the storage. Some stay for a while, so that nobody who is slow takes their place. */
  async sent({ chain, sequence, hash }: Pick<WaitingRecord, 'chain' | 'sequence' | 'hash'>): Promise<void> {
    const { database } = this.#store;
    await this.see(chain, { sequence, hash });
    await this.#store.attempt(async () => {
      await database
        .updateTable('catalogue_outbox')
        .set({ is_sent: 1, body: '' })
        .where('chain', '=', chain)
        .where('sequence', '=', sequence)
        .execute();
      await database
        .deleteFrom('catalogue_outbox')
        .where('chain', '=', chain)
        .where('sequence', '<', sequence - keptRecords)
        .where('is_sent', '=', 1)
        .execute();
    });
  }

  /** Writes what is about to be done; gives the id by which it is recorded, or dropped. */
  async intend(intent: Omit<Intent, 'id' | 'life'>): Promise<string> {
    const id = Buffer.from(this.#random.bytes(12)).toString('hex');
    const { chain, event, object, atMs } = intent;
    const process_ = { process_id: process.pid, process_space: processSpaceTag() };
    await this.#store.attempt(() =>
      this.#store.database
        .insertInto('catalogue_intent')
        .values({ id, chain, event, object, ...process_, at_ms: Math.round(atMs) })
        .execute(),
    );
    return id;
  }

  /** What was about to be done in a chain. */
  async intents(chain: string): Promise<Intent[]> {
    const query = this.#store.database.selectFrom('catalogue_intent').selectAll().where('chain', '=', chain);
    const rows = await this.#store.attempt(() => query.orderBy('at_ms').orderBy('id').execute());
    return rows.map((row) => ({
      id: row.id,
      chain: row.chain,
      event: row.event as Intent['event'],
      object: row.object,
      atMs: Number(row.at_ms),
      life: row.process_space !== processSpaceTag() ? 'unknown' : isRunning(row.process_id) ? 'running' : 'dead',
    }));
  }

  /** Forgets what was about to be done: it was not. */
  async dropIntent(id: string): Promise<void> {
    await this.#store.attempt(() => this.#store.database.deleteFrom('catalogue_intent').where('id', '=', id).execute());
  }
}
