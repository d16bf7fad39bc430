import { HoldfastError } from '../../errors.ts';
import type { LineValue } from './tagged-value.ts';

/** A row as it stands in the archive. */
export type LineRow = readonly LineValue[];

/** One line: a value may be as large as a database takes it. */
const maximumLineBytes = 512 * 1024 * 1024;
const newline = 0x0a;

/** What is read, for messages. */
export interface LinesOptions {
  readonly model: string;
  readonly columnCount: number;
}

/** The rows of an entry, those of a chunk at a time. Memory: that of a chunk, or of the longest line. Throws `archive.corrupt`. */
export async function* readLines(
  bytes: AsyncIterable<Uint8Array>,
  options: LinesOptions,
): AsyncGenerator<readonly LineRow[]> {
  let left: Buffer[] = [];
  let leftBytes = 0;
  let rowCount = 0;
  const parse = (text: string): LineRow[] => {
    const rows = text.split('\n').map((line, index) => parseLine(line, rowCount + index + 1, options));
    rowCount += rows.length;
    return rows;
  };
  for await (const chunk of bytes) {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const end = buffer.lastIndexOf(newline);
    if (end >= 0) {
      const text = Buffer.concat([...left, buffer.subarray(0, end)]).toString('utf8');
      left = [];
      leftBytes = 0;
      yield parse(text);
    }
    if (end + 1 < buffer.length) {
      // The memory of the chunk is used again.
      left.push(Buffer.from(buffer.subarray(end + 1)));
      leftBytes += buffer.length - end - 1;
    }
    if (leftBytes > maximumLineBytes) throw corrupt(options, rowCount + 1, 'it is longer than 512 MiB');
  }
  if (leftBytes > 0) throw corrupt(options, rowCount + 1, 'it does not end');
}

function parseLine(line: string, row: number, options: LinesOptions): LineRow {
  let values: unknown;
  try {
    values = JSON.parse(line);
  } catch {
    throw corrupt(options, row, 'it is not JSON');
  }
  if (!Array.isArray(values) || values.length !== options.columnCount) {
    throw corrupt(options, row, `it is no list of ${options.columnCount} values`);
  }
  const isPlain = !line.includes('\\u') && !line.includes('{');
  for (const value of values as unknown[]) {
    if (value === null || typeof value === 'string') {
      if (!isPlain && value !== null && !value.isWellFormed()) throw corrupt(options, row, 'it holds a lone surrogate');
    } else if (!isTagged(value)) throw corrupt(options, row, 'a value is neither text nor null');
  }
  return values as LineRow;
}

function isTagged(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const entries = Object.entries(value);
  const [name, text] = entries[0] ?? [];
  return (
    entries.length === 1 &&
    typeof text === 'string' &&
    text.isWellFormed() &&
    ['integer', 'real', 'text', 'blob'].includes(name ?? '')
  );
}

function corrupt({ model }: LinesOptions, row: number, reason: string): HoldfastError {
  return new HoldfastError('archive.corrupt', {
    message: `line ${row} of the model ${model} was not written by a backup: ${reason}`,
    context: { model, row },
  });
}
