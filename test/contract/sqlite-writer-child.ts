/** A process that writes a database until it is told to stop: each transaction moves an amount between two tables. */
import { DatabaseSync } from 'node:sqlite';

const [path = '', mode = 'WAL'] = process.argv.slice(2);
const database = new DatabaseSync(path, { timeout: 10_000 });
database.exec(`PRAGMA journal_mode = ${mode}; PRAGMA synchronous = OFF`);
database.exec('CREATE TABLE IF NOT EXISTS debit (amount INTEGER, filler BLOB)');
database.exec('CREATE TABLE IF NOT EXISTS credit (amount INTEGER, filler BLOB)');

let count = 0;
function write(): void {
  database.exec('BEGIN IMMEDIATE');
  for (const table of ['debit', 'credit']) {
    database.exec(`INSERT INTO ${table} VALUES (${count}, randomblob(2000))`);
    database.exec(`UPDATE ${table} SET amount = amount + 1 WHERE rowid % 7 = ${count % 7}`);
  }
  database.exec('COMMIT');
  count += 1;
  if (count === 300) process.send?.('ready');
  setImmediate(write);
}
process.on('disconnect', () => process.exit());
write();
