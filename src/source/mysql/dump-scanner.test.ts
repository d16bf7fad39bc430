import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../errors.ts';
import { DumpScanner } from './dump-scanner.ts';
import { TableDump } from './table-dump.ts';

/** As the tools write a text: no newline is left in it. */
function dumpText(text: string): string {
  const escapes: Record<string, string> = {
    '\0': '\\0',
    '\n': '\\n',
    '\r': '\\r',
    '\\': '\\\\',
    "'": "\\'",
    '"': '\\"',
  };
  return `'${[...text].map((character) => escapes[character] ?? character).join('')}'`;
}

const quoted = (name: string) => `\`${name.replaceAll('`', '``')}\``;

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  readonly comment: string;
  readonly rows: readonly (readonly string[])[];
}

/** The dump of tables in the form of MariaDB's tool (rows in lines), or of MySQL's. */
function dumpOf(
  tables: readonly Table[],
  form: 'lines' | 'values' | 'columns',
): { text: string; files: Map<string, string> } {
  let text = '/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19 Distrib of "it\'s"\n--\n';
  text += '\n/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n/*M!100616 SET @X=@@Y */;\n\n';
  const files = new Map<string, string>();
  for (const { name, columns, comment, rows } of tables) {
    const columnLines = columns.map((column) => `  ${quoted(column)} text DEFAULT 'a;''b'`).join(',\n');
    const create = `CREATE TABLE ${quoted(name)} (\n${columnLines}\n) COMMENT=${dumpText(comment)};`;
    text += `--\n-- Table structure for table ${quoted(name).replaceAll('\n', ' ')}\n--\n\n`;
    text += `/*!40101 SET @saved_cs_client     = @@character_set_client */;\n${create}\n`;
    text += '/*!40101 SET character_set_client = @saved_cs_client */;\n\n';
    const list = form === 'columns' ? ` (${columns.map(quoted).join(', ')})` : '';
    const [gap, comma] = form === 'lines' ? ['\n', ',\n'] : [' ', form === 'columns' ? ',\n' : ','];
    const insert =
      rows.length === 0
        ? ''
        : `INSERT INTO ${quoted(name)}${list} VALUES${gap}${rows.map((row) => `(${row.join(',')})`).join(comma)};\n`;
    text += insert;
    files.set(name, `${create}\n${insert}`);
  }
  return { text: `${text}/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\n-- Dump completed on 2026-01-01\n`, files };
}

async function split(
  text: Buffer,
  chunkBytes: (at: number) => number,
): Promise<{ files: Map<string, string>; rows: Map<string, number> }> {
  let at = 0;
  // One piece of memory for all chunks: what is kept of a chunk must have been copied.
  const memory = Buffer.alloc(text.length);
  const dump = new TableDump(async () => {
    if (at >= text.length) return undefined;
    const length = Math.max(1, Math.min(chunkBytes(at), text.length - at));
    text.copy(memory, 0, at, at + length);
    at += length;
    return memory.subarray(0, length);
  });
  const files = new Map<string, string>();
  const rows = new Map<string, number>();
  for (let name = await dump.nextTable(); name !== undefined; name = await dump.nextTable()) {
    const parts: Buffer[] = [];
    for await (const chunk of dump.bytes()) parts.push(Buffer.from(chunk));
    const file = Buffer.concat(parts).toString('utf8');
    files.set(name, file.slice(file.indexOf('CREATE TABLE ')));
    rows.set(name, dump.rowCount);
  }
  return { files, rows };
}

const hostile = [
  "'",
  '"',
  '\\',
  '`',
  ';',
  '\n',
  '\r',
  '\0',
  ',',
  '(',
  ')',
  '),\n(',
  ');\n',
  ',\n',
  '-- Dump completed',
  '\n-- Dump completed\n',
  'INSERT INTO `x` VALUES\n(1);\n',
  'CREATE TABLE `x` (',
  ' VALUES ',
  '/*!40000 ',
  '*/',
  '€😀',
  'é',
  'plain',
];
const text = fc
  .array(fc.oneof(fc.constantFrom(...hostile), fc.string({ maxLength: 4 })), { maxLength: 6 })
  .map((parts) => parts.join(''));
const value = fc.oneof(
  text.map(dumpText),
  fc.constantFrom('NULL', '-1.5e-3', '0x00FF', '1'),
  text.map((some) => `_binary ${dumpText(some)}`),
);
const table = (index: number) =>
  fc.record({
    name: text.map((some) => `${index}${some.replaceAll('\0', '')}`),
    columns: fc.array(
      text.map((some) => some.replaceAll('\0', '')),
      { minLength: 1, maxLength: 3 },
    ),
    comment: text,
    rows: fc.array(fc.array(value, { minLength: 1, maxLength: 3 }), { maxLength: 4 }),
  });
const tables = fc.tuple(table(1), table(2), table(3));
const form = fc.constantFrom('lines' as const, 'values' as const, 'columns' as const);

describe('a dump is split by table', () => {
  it('whatever names and rows hold, at every size of chunks', async () => {
    const property = fc.asyncProperty(tables, form, fc.integer({ min: 1, max: 80 }), async (some, how, chunkBytes) => {
      const { text: dump, files } = dumpOf(some, how);
      const found = await split(Buffer.from(dump), () => chunkBytes);
      assert.deepEqual(found.files, files);
      assert.deepEqual(
        [...found.rows.values()],
        some.map(({ rows }) => rows.length),
      );
    });
    await fc.assert(property, { numRuns: process.env['SLOW'] === '1' ? 5_000 : 400 });
  });

  it('with a boundary of chunks at each of its bytes', async () => {
    const rows = hostile.map((some, index) => [String(index), dumpText(some), 'NULL']);
    for (const how of ['lines', 'values', 'columns'] as const) {
      const { text: dump, files } = dumpOf([{ name: 'a`;\n', columns: ['x', '`'], comment: "it's", rows }], how);
      const bytes = Buffer.from(dump);
      for (let boundary = 1; boundary < bytes.length; boundary += 1) {
        const found = await split(bytes, (at) => (at === 0 ? boundary : bytes.length));
        assert.deepEqual(found.files, files, `boundary at ${boundary}`);
        assert.deepEqual([...found.rows.values()], [rows.length], `boundary at ${boundary}`);
      }
    }
  });

  it('and is refused when it is cut off anywhere before its end mark', async () => {
    const { text: dump } = dumpOf(
      [{ name: 't', columns: ['c'], comment: '-- Dump completed', rows: [["'-- Dump completed'"]] }],
      'lines',
    );
    const bytes = Buffer.from(dump);
    const end = bytes.lastIndexOf('-- Dump completed') + 18;
    for (let length = 0; length < end; length += 1) {
      await assert.rejects(
        split(bytes.subarray(0, length), () => 64),
        (error) => error instanceof HoldfastError && error.code === 'tool.failed',
        `cut at ${length}`,
      );
    }
    await split(bytes, () => 64);
  });

  it('and is refused when a row does not end with its line', () => {
    const scanner = new DumpScanner();
    assert.throws(
      () => [...scanner.scan(Buffer.from("INSERT INTO `t` VALUES\n('a\nb');\n"))],
      (error) => error instanceof HoldfastError && error.code === 'tool.failed',
    );
  });
});
