import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restoreTargetName } from './restore-target.ts';

test('a restore is confirmed by the name of what it writes to', () => {
  const cases: readonly (readonly [Parameters<typeof restoreTargetName>[0], string | undefined])[] = [
    [{ to: ['postgres://user:secret@host:5432/copy?sslmode=require'] }, 'copy'],
    [{ to: ['shop=mysql://host/shop_copy', 'crm=mysql://host/crm'], filesTo: '/srv/out' }, 'shop_copy'],
    [{ to: ['sqlite:copy.db'] }, 'copy.db'],
    [{ to: ['sqlite:/srv/data/copy.db'] }, 'copy.db'],
    [{ filesTo: '/srv/restore/' }, 'restore'],
    [{ filesTo: 'C:\\backups\\out' }, 'out'],
    [{ filesTo: '.' }, '.'],
    [{ filesTo: '/' }, '/'],
    [{ to: ['mysql://user:secret@host'] }, undefined],
    [{ to: ['mysql://user:secret@host?ssl=1'], filesTo: 'out' }, undefined],
    [{}, undefined],
  ];
  for (const [given, name] of cases) assert.equal(restoreTargetName(given), name, JSON.stringify(given));
});
