/** The process of `sqlite-scratch.ts`: runs one statement that reads, and answers once. */
import { DatabaseSync } from 'node:sqlite';

process.once('message', ({ path, sql }: { readonly path: string; readonly sql: string }) => {
  try {
    using database = new DatabaseSync(path, { readOnly: true, enableDoubleQuotedStringLiterals: true });
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    process.send?.({ rows: statement.all().map((row) => Object.values(row)) });
  } catch (error) {
    process.send?.({ message: error instanceof Error ? error.message : String(error) });
  }
  process.disconnect?.();
});
