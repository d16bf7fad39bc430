/** A real SQLite database of an application in a simulated world, and the product's own source of it. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SourceContext, SourceDescription, SourceEntry } from '../../src/source/source.ts';
import { SqliteSource } from '../../src/source/sqlite/sqlite-source.ts';
import type { SeededRandom } from '../../src/testing/seeded-random.ts';
import { contentCanary } from './canaries.ts';
import type { SourceFault, WorldSettings } from './plan.ts';
import type { SimulatedProcess } from './simulated-process.ts';

type JournalMode = NonNullable<WorldSettings['sqlite']>;

/** The name of the ledger of an application: its database's in archives. */
export function ledgerName(application: string): string {
  return `${application}-ledger`;
}

/** Where a ledger stands in an archive. */
export function ledgerPath(application: string): string {
  return `databases/${ledgerName(application)}/database.sqlite`;
}

/** Faults of sources that strike a ledger where there is one. */
const ledgerFaults = ['source-fails', 'source-gone', 'source-empty'] as const;
export type LedgerFault = (typeof ledgerFaults)[number];

/** The fault, where it is one that strikes a ledger. */
export function ledgerFaultOf(fault: SourceFault | undefined): LedgerFault | undefined {
  return ledgerFaults.find((kind) => kind === fault?.kind);
}

const pageBytes = 512;
const accountCount = 12;
const startBalance = 1000;

/** A ledger in use: its application is connected to it, and moves money from account to account. */
export class Ledger {
  readonly path: string;
  readonly #mode: JournalMode;
  readonly #random: SeededRandom;
  #database: DatabaseSync;
  #transactions = 0;
  /** What the file was before it was harmed. */
  #whole: Buffer | undefined;

  constructor(path: string, options: { readonly mode: JournalMode; readonly random: SeededRandom }) {
    this.path = path;
    this.#mode = options.mode;
    this.#random = options.random;
    mkdirSync(dirname(path), { recursive: true });
    this.#database = this.#connect();
    // As few bytes as there can be: archives of all worlds are alike.
    this.#database.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA journal_mode = ${this.#mode};
      CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL) STRICT;
      CREATE TABLE transfer (id INTEGER PRIMARY KEY AUTOINCREMENT, origin INTEGER NOT NULL REFERENCES account,
        destination INTEGER NOT NULL REFERENCES account, amount INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
      CREATE INDEX transfer_origin ON transfer (origin)`);
    const insert = this.#database.prepare('INSERT INTO account VALUES (?, ?)');
    for (let id = 1; id <= accountCount; id++) insert.run(id, startBalance);
    this.move(20);
  }

  #connect(): DatabaseSync {
    // A backup reads in another thread, for a moment.
    const database = new DatabaseSync(this.path, { timeout: 5000 });
    database.exec('PRAGMA synchronous = OFF');
    return database;
  }

  /** Moves money so many times, in one transaction. */
  move(times: number): void {
    this.begin(times)();
  }

  /** Moves money in a transaction that ends when what is returned is called, or the application does something else. */
  begin(times: number): () => void {
    this.#end();
    const database = this.#database;
    database.exec('BEGIN IMMEDIATE');
    const change = database.prepare('UPDATE account SET balance = balance + ? WHERE id = ?');
    const note = database.prepare('INSERT INTO transfer (origin, destination, amount, note) VALUES (?, ?, ?, ?)');
    // Old transfers go, so that it does not grow.
    database.prepare('DELETE FROM transfer WHERE id <= (SELECT max(id) FROM transfer) - 30').run();
    for (let index = 0; index < times; index++) {
      const [origin, destination] = [1 + this.#random.integer(accountCount), 1 + this.#random.integer(accountCount)];
      const amount = 1 + this.#random.integer(100);
      change.run(-amount, origin);
      change.run(amount, destination);
      note.run(origin, destination, amount, `${contentCanary} ${this.#random.integer(1000)}`);
    }
    const own = ++this.#transactions;
    return () => {
      if (own === this.#transactions) this.#end();
    };
  }

  #end(): void {
    if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec('COMMIT');
  }

  /** All that is committed. */
  state(): string {
    this.#end();
    return stateOf(this.#database);
  }

  /** The application goes, and its disk loses what it left, empties or spoils it. */
  harm(kind: LedgerFault): void {
    if (this.#whole !== undefined) return;
    // What is free in a file is looked at by nobody: the first pages of its tables are not.
    const roots = this.#database.prepare('SELECT rootpage FROM sqlite_schema WHERE rootpage > 0').all();
    const page = Number(roots[this.#random.integer(roots.length)]?.['rootpage']) - 1;
    this.#database.close();
    this.#whole = readFileSync(this.path);
    if (kind === 'source-gone') rmSync(this.path);
    else if (kind === 'source-empty') writeFileSync(this.path, '');
    else writeFileSync(this.path, Buffer.from(this.#whole).fill(0xff, page * pageBytes, (page + 1) * pageBytes));
  }

  /** Puts right what was harmed. */
  mend(): void {
    if (this.#whole === undefined) return;
    writeFileSync(this.path, this.#whole);
    this.#whole = undefined;
    this.#database = this.#connect();
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function stateOf(database: DatabaseSync): string {
  const all = (query: string) => database.prepare(query).all();
  const accounts = all('SELECT * FROM account ORDER BY id');
  const transfers = all('SELECT * FROM transfer ORDER BY id');
  const schema = all('SELECT name, sql FROM sqlite_schema ORDER BY name');
  return JSON.stringify({ accounts, transfers, schema });
}

/** What stands in a ledger's file; a word for what is wrong with it where it is no whole database. */
export function ledgerState(file: Uint8Array): string {
  const bytes = Buffer.from(file);
  // In memory there is no write-ahead log: the file tells of none.
  bytes.fill(1, 18, 20);
  using database = new DatabaseSync(':memory:');
  try {
    database.deserialize(bytes);
    const faults = database.prepare('PRAGMA integrity_check').all();
    const isWhole = faults.length === 1 && faults[0]?.['integrity_check'] === 'ok';
    return isWhole ? stateOf(database) : `damaged: ${JSON.stringify(faults)}`;
  } catch (error) {
    return `no database: ${String(error)}`;
  }
}

/** What was restored of a ledger; undefined where there is none. */
export function restoredLedger(path: string): string | undefined {
  return existsSync(path) ? ledgerState(readFileSync(path)) : undefined;
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

interface LedgerSourceOptions {
  readonly name: string;
  readonly ledger: Ledger;
  readonly fault: LedgerFault | undefined;
  readonly process: SimulatedProcess;
  onFault(kind: string): void;
  /** A mistake for the test of the oracle: what the log holds is not asked for. */
  readonly copiesFile: boolean;
}

/** Backs a ledger up while its application goes on: what is under way when it is copied is not in the copy. */
export class LedgerSource extends SqliteSource {
  readonly #options: LedgerSourceOptions;

  constructor(options: LedgerSourceOptions) {
    super({ path: options.ledger.path, name: options.name });
    this.#options = options;
  }

  override async describe(context: SourceContext): Promise<SourceDescription> {
    await this.#options.process.step();
    // What is spoiled has a header still: it is found out when its copy is looked at.
    if (this.#options.fault !== 'source-fails') this.#strike();
    return await super.describe(context);
  }

  override async *entries(context: SourceContext): AsyncGenerator<SourceEntry> {
    await this.#options.process.step();
    const { fault, ledger, copiesFile } = this.#options;
    if (fault !== undefined) this.#strike();
    const commit = fault === undefined ? ledger.begin(3) : () => {};
    try {
      for await (const entry of super.entries(context)) {
        const file = copiesFile ? readFileSync(ledger.path) : undefined;
        commit();
        if (file === undefined) yield entry;
        else yield { ...entry, expectedSizeBytes: file.length, metadata: {}, open: () => chunksOf(file) };
      }
    } finally {
      commit();
    }
  }

  #strike(): void {
    const { fault, ledger, onFault } = this.#options;
    if (fault === undefined) return;
    onFault(fault);
    ledger.harm(fault);
  }
}
