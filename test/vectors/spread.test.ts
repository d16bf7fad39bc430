/** Sets of shards: made as their generators make them, and read by the product and by the script for strangers. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { SpreadEncoder } from '../../src/archive/spread/spread-encoder.ts';
import { errorTable, HoldfastError } from '../../src/errors.ts';
import { withShards } from '../../src/operation/location.ts';
import { openArchive } from '../../src/operation/open.ts';
import { validateBackup } from '../../src/operation/verify.ts';
import { spreadExpectation, spreadVectors } from '../../vectors/generators/spread.ts';
import { blocky } from '../../vectors/generators/vector.ts';
import { spreadArchive } from '../../vectors/reference-spread.ts';

const folder = join(import.meta.dirname, '../../vectors/shards');
const script = join(import.meta.dirname, '../../recover/holdfast-recover.mjs');
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-spread-'));
after(() => rmSync(scratch, { recursive: true }));

test('the folders are those of the generators', () => {
  assert.deepEqual(readdirSync(folder).sort(), spreadVectors.map(({ name }) => name).sort());
});

test('the encoder lays an archive out as the specification says', () => {
  const { file } = blocky({ copies: 1 });
  for (const [data, parity] of [
    [3, 2],
    [1, 1],
    [5, 16],
    [20, 3],
  ] as const) {
    const made = Array.from({ length: data + parity }, (): Uint8Array[] => []);
    const encoder = new SpreadEncoder({
      shape: { data, parity },
      emit: (index, bytes) => void made[index]?.push(bytes),
    });
    encoder.push(file);
    encoder.finish();
    for (const [index, shard] of spreadArchive(file, data, parity).entries()) {
      assert.ok(Buffer.concat(made[index] ?? []).equals(shard), `${data} + ${parity}: shard ${index + 1}`);
    }
  }
});

describe('sets of shards', () => {
  for (const vector of spreadVectors) {
    const place = join(folder, vector.name);
    const made = vector.make();
    const files = made.files.map(({ name }) => join(place, name));

    test(`${vector.name} is what its generator makes`, () => {
      assert.deepEqual(readdirSync(place).sort(), ['expect.json', ...made.files.map(({ name }) => name)].sort());
      for (const { name, bytes } of made.files) assert.ok(readFileSync(join(place, name)).equals(bytes), name);
      const stored = JSON.parse(readFileSync(join(place, 'expect.json'), 'utf8')) as unknown;
      assert.deepEqual(stored, JSON.parse(JSON.stringify(spreadExpectation(vector, made))));
      assert.ok(vector.expect === 'ok' || vector.expect in errorTable);
    });

    test(`the reader on ${vector.name}: ${vector.expect}`, async () => {
      const [first = '', ...others] = files;
      const check = () =>
        withShards(first, others, async (archive) => {
          const report = await validateBackup({ archive, threads: 1 });
          assert.deepEqual(
            report.spread?.shards.map(({ state }) => state),
            vector.shards,
          );
          assert.equal(report.state, vector.verifyState);
          const hashes = new Map<string, string>();
          await using opened = await openArchive({ archive, threads: 1 });
          for await (const entry of opened.entries()) {
            const hash = createHash('sha256');
            for await (const chunk of opened.read(entry)) hash.update(chunk);
            hashes.set(entry.path, hash.digest('hex'));
          }
          for (const entry of made.entries) assert.equal(hashes.get(entry.path), entry.sha256, entry.path);
        });
      if (vector.expect === 'ok') return await check();
      await assert.rejects(check(), (error) => error instanceof HoldfastError && error.code === vector.expect);
    });

    test(`the script on ${vector.name}`, () => {
      const out = join(scratch, vector.name);
      const { status, stderr } = spawnSync(process.execPath, [script, ...files, out], { encoding: 'utf8' });
      const expected = vector.expect === 'ok' ? 0 : errorTable[vector.expect as keyof typeof errorTable].exitCode;
      assert.equal(status, expected, stderr);
      if (vector.expect !== 'ok') return;
      for (const { path, kind, sha256 } of made.entries) {
        if (kind !== 'file') continue;
        assert.equal(
          createHash('sha256')
            .update(readFileSync(join(out, path)))
            .digest('hex'),
          sha256,
          path,
        );
      }
    });
  }
});
