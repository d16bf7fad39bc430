import { HoldfastError } from '../../errors.ts';
import type { PostgresConnection } from './postgres-connection.ts';

/** So much is sent at once. */
const batchBytes = 256 * 1024;
const known =
  /^(SELECT pg_catalog\.(lo_open|lowrite|lo_close)\((?:'\d+', \d+|0, '\\x[0-9a-f]*'|0)\);|BEGIN;|COMMIT;|SET .*|SELECT pg_catalog\.set_config\(.*|--.*|\\(un)?restrict .*|)$/;

/**
 * Fills large objects, which the definitions have made, in transactions of this side's choice: `perform` runs one. Gives how many were filled.
 * Throws `target.invalid` for a line that `pg_dump` does not write for them.
 */
export async function loadLargeObjects(
  bytes: AsyncIterable<Uint8Array>,
  connection: PostgresConnection,
  options: { readonly isInTransaction: boolean },
): Promise<number> {
  const { isInTransaction } = options;
  let count = 0;
  let batch: string[] = [];
  let batchLength = 0;
  const flush = async () => {
    if (batch.length > 0) await connection.work(batch.join('\n'));
    batch = [];
    batchLength = 0;
  };
  for await (const line of linesOf(bytes)) {
    if (!known.test(line)) {
      throw new HoldfastError('target.invalid', {
        message: 'the large objects hold a statement that is none of theirs',
      });
    }
    const isCall = line.startsWith('SELECT pg_catalog.lo');
    if (!isCall && (isInTransaction || (line !== 'BEGIN;' && line !== 'COMMIT;'))) continue;
    if (line.startsWith('SELECT pg_catalog.lo_open(')) count += 1;
    batch.push(line);
    batchLength += line.length;
    if (batchLength >= batchBytes) await flush();
  }
  await flush();
  return count;
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of bytes) {
    const lines = (rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
