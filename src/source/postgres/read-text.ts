import { HoldfastError } from '../../errors.ts';
import type { RestorableEntry } from '../target.ts';

/** Definitions are taken into memory to be read as statements. */
const limitBytes = 128 * 1024 * 1024;

/** An entry of statements as a text. Throws `target.invalid` for one that is too large to be definitions. */
export async function readText(entry: RestorableEntry, bytes: AsyncIterable<Uint8Array>): Promise<string> {
  if (entry.sizeBytes > limitBytes) {
    const message = `${entry.path} has ${entry.sizeBytes} bytes of definitions; ${limitBytes} are the most`;
    throw new HoldfastError('target.invalid', { message, context: { path: entry.path } });
  }
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
