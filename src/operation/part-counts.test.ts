import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceEntry } from '../source/source.ts';
import { CountedSources, partCounts } from './part-counts.ts';

const context = { report: () => {}, temporaryFolder: '/nowhere' };
const progress = (entry: string) => ({ phase: 'read', doneBytes: 1, totalBytes: 2, entry }) as const;

/** A table whose rows are known when it has been read, as a server's are. */
class Table implements SourceEntry {
  readonly path = 'databases/shop/tables/a';
  readonly kind = 'table';
  readonly expectedSizeBytes = 8;
  #rows: number | undefined;

  get metadata(): { rows?: number } {
    return this.#rows === undefined ? {} : { rows: this.#rows };
  }

  async *open(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(2);
    yield Buffer.alloc(4);
    this.#rows = 3;
  }
}

test('entries are counted as they are read, and stay what they are', async () => {
  const own: SourceEntry = { path: 'files/a', kind: 'file', expectedSizeBytes: 1, metadata: {} };
  const schema: SourceEntry = { path: 'databases/shop/schema', kind: 'schema', expectedSizeBytes: 1, metadata: {} };
  async function* entries() {
    yield own;
    yield schema;
    yield new Table();
  }
  const source = {
    name: 'shop',
    parallelEntries: 4,
    describe: async () => assert.fail(),
    entries,
    close: async () => {},
  };
  const counted = new CountedSources([source]);
  const [watched] = counted.sources;
  assert.equal(watched?.parallelEntries, 4);
  const seen: SourceEntry[] = [];
  for await (const entry of watched?.entries(context) ?? []) {
    seen.push(entry);
    const sizes: number[] = [];
    const details: unknown[] = [];
    for await (const chunk of entry.open?.(undefined) ?? []) {
      sizes.push(chunk.length);
      details.push(counted.detail(progress(entry.path)));
    }
    if (entry.kind !== 'table') continue;
    assert.deepEqual(sizes, [2, 4]);
    const expected = { entryExpectedBytes: 8 };
    assert.deepEqual(details, [
      { ...progress(entry.path), ...expected, entryDoneBytes: 2 },
      { ...progress(entry.path), ...expected, entryDoneBytes: 6 },
    ]);
    assert.deepEqual(entry.metadata, { rows: 3 });
  }
  assert.deepEqual(seen.slice(0, 2), [own, schema]);
  assert.deepEqual(counted.detail(progress('databases/shop/tables/a')), {
    ...progress('databases/shop/tables/a'),
    doneRows: 3,
  });
  assert.deepEqual(counted.parts, [{ path: 'databases/shop/tables/a', kind: 'table', rows: 3, sizeBytes: 6 }]);
});

test('a SQLite database counts by its tables, without those of its full-text search', () => {
  const names = ['note', 'note_data', 'note_idx', 'own_data', 'orders'];
  const metadata = { tables: names.map((name) => ({ name, rows: 1 })) };
  const parts = partCounts({ path: 'databases/x/database.sqlite', kind: 'sqlite', sizeBytes: 9, metadata });
  assert.deepEqual(
    parts.map(({ path, sizeBytes }) => [path, sizeBytes]),
    ['note', 'own_data', 'orders'].map((name) => [`databases/x/tables/${name}`, undefined]),
  );
});
