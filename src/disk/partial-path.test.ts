import assert from 'node:assert/strict';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { isPartialName, partialOwner, partialPath } from './partial-path.ts';

test('a partial name is beside its target, hidden, told from others, and never too long', () => {
  for (const base of ['shop.holdfast', 'x', '.hidden', 'n'.repeat(255), '备'.repeat(85), 'a\nb']) {
    const path = partialPath(join('/backups', base));
    const name = basename(path);
    assert.equal(dirname(path), '/backups');
    assert.ok(isPartialName(name), name);
    assert.ok(Buffer.byteLength(name) <= 255);
    assert.ok(name.startsWith(`.${[...base].slice(0, 50).join('')}`));
    assert.notEqual(partialPath(join('/backups', base)), path);
  }
  for (const name of [
    'shop.holdfast',
    '.shop.partial',
    '.shop.holdfast-1-00.partial',
    'shop.holdfast-1-000011112222333344445555.partial',
  ]) {
    assert.ok(!isPartialName(name), name);
  }
});

test('a partial name tells whose it is', () => {
  for (const base of ['shop.holdfast', '.x.holdfast-1-000011112222333344445555.partial', 'a\nb', '']) {
    const name = basename(partialPath(`/backups/${base === '' ? '.' : base}`));
    const owner = partialOwner(name);
    assert.deepEqual(owner, { base: base === '' ? '.' : base, processId: process.pid, isHere: true });
    const elsewhere = name.replace(/[0-9a-f]{24}\.partial$/u, `${'0'.repeat(24)}.partial`);
    assert.equal(partialOwner(elsewhere)?.isHere, false);
  }
  assert.equal(partialOwner('shop.holdfast'), undefined);
});
