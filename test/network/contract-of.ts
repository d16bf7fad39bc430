import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Storage } from '../../src/storage/storage.ts';
import type { FillStorage } from '../../src/testing/storage-case.ts';
import { storageCases } from '../../src/testing/storage-cases.ts';

/** Runs the contract's cases on an adapter; a case that is left out is named with its reason. */
export function contractOf(
  adapter: string,
  makeStorage: () => Promise<Storage>,
  leftOut: Readonly<Record<string, string>> = {},
  fill?: FillStorage,
): void {
  describe(`${adapter}: the contract`, () => {
    for (const each of storageCases) {
      const reason = leftOut[each.name];
      test(each.name, { skip: reason ?? false }, () => each.run(makeStorage, fill));
    }
    test('what is left out is a case', () => {
      const names = new Set(storageCases.map((each) => each.name));
      assert.deepEqual(
        Object.keys(leftOut).filter((name) => !names.has(name)),
        [],
      );
    });
  });
}
