import { HoldfastError } from '../../../errors.ts';
import { convertRows, writtenFields } from '../restore/convert-rows.ts';
import type { LoadPlan } from '../restore/restore-plan.ts';
import { LinesToCopy } from './lines-to-copy.ts';

const spareBytes = 8;
const escapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};
const isAlways = /[\\\n\r\t\b\f\v]/;
const everyEscape = /[\\\n\r\t\b\f\v]/g;

/** The rows of a model in the text format of COPY. What is not converted goes through without an object for any row. */
export async function* copyBytes(load: LoadPlan, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const isPlain = load.fields.every(({ convert }) => convert === undefined);
  yield* isPlain && !load.isTagged ? direct(load, bytes) : converted(load, bytes);
}

async function* direct(load: LoadPlan, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const conversion = new LinesToCopy({
    model: load.source.name,
    columns: load.fields.map(({ source }) => source.name),
    isSkipped: load.fields.map(({ target }) => target === undefined),
  });
  let out = Buffer.alloc(0);
  for await (const chunk of bytes) {
    if (out.length < chunk.length + spareBytes) out = Buffer.allocUnsafeSlow(chunk.length + spareBytes);
    const made = conversion.convert(chunk, out);
    if (made > 0) yield out.subarray(0, made);
  }
  conversion.finish();
}

async function* converted(load: LoadPlan, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let row = 0;
  for await (const rows of convertRows(load, bytes)) {
    const text = rows.map((values) => {
      row += 1;
      return `${values.map((value, index) => field(value, () => refuseNul(load, index, row))).join('\t')}\n`;
    });
    yield Buffer.from(text.join(''));
  }
}

function field(value: string | null, refuse: () => HoldfastError): string {
  if (value === null) return '\\N';
  if (value.includes('\0')) throw refuse();
  return isAlways.test(value) ? value.replace(everyEscape, (character) => escapes[character] ?? character) : value;
}

function refuseNul(load: LoadPlan, index: number, row: number): HoldfastError {
  const column = writtenFields(load)[index]?.target.name ?? '';
  return new HoldfastError('target.incompatible', {
    message: `${load.target.name}.${column}, row ${row}: the text holds U+0000, which PostgreSQL does not take`,
    hint: 'take the character out before the backup, or restore into another engine',
    context: { table: load.target.name, column, row },
  });
}
