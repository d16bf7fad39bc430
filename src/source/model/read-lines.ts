import { HoldfastError } from '../../errors.ts';
import type { LineValue } from './tagged-value.ts';

/** A row as it stands in the archive. */
export type LineRow = readonly LineValue[];

/** One line: a value may be as large as a database takes it. */
const maximumLineBytes = 512 * 1024 * 1024;
const newline = 0x0a;
const opening = 0x5b;
const closing = 0x5d;

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
  const parse = (text: string): readonly LineRow[] => {
    const rows =
      parseTogether(text, options) ??
      text.split('\n').map((line, index) => parseLine(line, rowCount + index + 1, options));
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

/**
 * All lines in one go, which takes a third of the time; undefined where that is not possible, or where anything is not as it is most often: then each
 * line is looked at by itself. Every line has to begin and end as a list, and there have to be as many lists as lines, so that no line is part of another.
 */
function parseTogether(text: string, { columnCount }: LinesOptions): readonly LineRow[] | undefined {
  // Values with a class of their own, and escapes that may be lone surrogates.
  if (text.includes('{"') || text.includes('\\u')) return undefined;
  let lineCount = 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
    if (text.charCodeAt(at - 1) !== closing || text.charCodeAt(at + 1) !== opening) return undefined;
    lineCount += 1;
  }
  let rows: unknown;
  try {
    rows = JSON.parse(`[${text.replaceAll('\n', ',')}]`);
  } catch {
    return undefined;
  }
  if (!Array.isArray(rows) || rows.length !== lineCount) return undefined;
  for (const row of rows as unknown[]) {
    if (!Array.isArray(row) || row.length !== columnCount) return undefined;
    for (const value of row as unknown[]) if (typeof value !== 'string' && value !== null) return undefined;
  }
  return rows as LineRow[];
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
