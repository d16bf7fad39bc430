import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { type CollectedEntry, collectSource } from '../../testing/source-cases.ts';
import { FileTreeTarget } from './file-tree-target.ts';
import { FilesSource } from './files-source.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-trip-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function restore(entries: readonly CollectedEntry[], rootPath: string): Promise<void> {
  const target = new FileTreeTarget({ rootPath, prefix: 'files/n' });
  async function* once(bytes: Uint8Array) {
    if (bytes.length > 0) yield bytes;
  }
  for (const entry of entries) await target.stage({ ...entry, sizeBytes: entry.bytes.length }, once(entry.bytes));
  await target.commit();
}

describe('FilesSource and FileTreeTarget', () => {
  it('bring any tree back as it was', async () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 6 })
      .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0x2f || byte === 0 ? 0x78 : byte))))
      .filter((bytes) => !['.', '..'].includes(bytes.toString('latin1')));
    const leaf = fc.record({
      path: fc.array(name, { minLength: 1, maxLength: 4 }),
      bytes: fc.uint8Array({ maxLength: 50 }),
    });
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(leaf, { maxLength: 6 }), async (leaves) => {
        count += 1;
        const from = join(folder, `from-${count}`);
        const to = join(folder, `to-${count}`);
        mkdirSync(from);
        for (const { path, bytes } of leaves) {
          const place = (length: number) =>
            Buffer.concat([Buffer.from(from), ...path.slice(0, length).flatMap((part) => [Buffer.from('/'), part])]);
          try {
            mkdirSync(place(path.length - 1), { recursive: true });
            writeFileSync(place(path.length), bytes);
          } catch {
            // A file of an earlier leaf stands in the way.
          }
        }
        const before = await collectSource(new FilesSource({ path: from, name: 'n' }));
        await restore(before.entries, to);
        const after = await collectSource(new FilesSource({ path: to, name: 'n' }));
        const shape = (items: readonly CollectedEntry[]) =>
          items.map(({ path, pathBytes, kind, bytes, metadata }) => ({
            path,
            pathBytes,
            kind,
            bytes,
            mode: metadata['mode'],
          }));
        assert.deepEqual(shape(after.entries), shape(before.entries));
      }),
      { seed: 11, numRuns: 40 },
    );
  });
});
