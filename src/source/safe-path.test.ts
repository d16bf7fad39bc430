import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../errors.ts';
import { resolveInside, safeSegments } from './safe-path.ts';

function isUnsafe(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'target.unsafe';
}

describe('resolveInside', () => {
  const hostile = ['', '/', '/etc/passwd', '..', '../x', 'a/../b', 'a/..', '.', './a', 'a/./b', 'a//b', 'a/', 'a\0b'];
  for (const path of hostile) {
    it(`refuses ${JSON.stringify(path)} everywhere`, () => {
      for (const platform of ['linux', 'darwin', 'win32'] as const) {
        assert.throws(() => resolveInside('/root', path, undefined, platform), isUnsafe);
      }
    });
  }

  const windowsOnly = [
    'a\\b',
    '..\\x',
    'C:',
    'C:x',
    'c:/x',
    'a:stream',
    'con',
    'NUL',
    'a/Aux.txt',
    'COM1',
    'lpt9.a.b',
  ].concat(['CONIN$', 'com¹', 'prn ', 'a.', 'a ']);
  for (const path of windowsOnly) {
    it(`refuses ${JSON.stringify(path)} on Windows only`, () => {
      assert.throws(() => resolveInside('/root', path, undefined, 'win32'), isUnsafe);
      assert.equal(resolveInside('/root', path, undefined, 'linux').toString(), `/root/${path}`);
    });
  }

  it('takes names that merely look like devices or parents', () => {
    for (const path of ['console', 'com', 'com10', 'nullable', '...a', '..a', 'a..', '.hidden/.x']) {
      const platform = path.endsWith('.') ? 'linux' : 'win32';
      assert.equal(resolveInside('/root', path, undefined, platform).toString(), `/root/${path}`);
    }
  });

  it('takes a name of 255 bytes and refuses one of 256', () => {
    assert.ok(resolveInside('/r', 'a'.repeat(255)));
    assert.throws(() => resolveInside('/r', 'a'.repeat(256)), isUnsafe);
    assert.throws(() => resolveInside('/r', 'ä'.repeat(128)), isUnsafe);
  });

  it('takes a path of 4,096 bytes and refuses one of 4,097', () => {
    const path = `${'ab/'.repeat(1365)}a`;
    assert.equal(path.length, 4096);
    assert.ok(resolveInside('/r', path));
    assert.throws(() => resolveInside('/r', `${path}a`), isUnsafe);
  });

  it('keeps bytes, and refuses bytes that read otherwise than the path', () => {
    const bytes = Buffer.from([0x61, 0xff, 0x2f, 0xfe]);
    const path = bytes.toString('utf8');
    assert.deepEqual(resolveInside('/r', path, bytes), Buffer.concat([Buffer.from('/r/'), bytes]));
    assert.throws(() => resolveInside('/r', 'harmless', Buffer.from('../x')), isUnsafe);
    assert.throws(() => resolveInside('/r', '../x', Buffer.from('../x')), isUnsafe);
  });

  it('makes a relative root absolute', () => {
    assert.equal(resolveInside('r', 'a').toString(), join(process.cwd(), 'r', 'a'));
    assert.equal(resolveInside('/', 'a').toString(), '/a');
  });

  it('never leaves the root, whatever the path', () => {
    const part = fc.oneof(fc.constantFrom('..', '.', '', '/', '\\', 'a', '\0', '~', 'C:'), fc.string({ maxLength: 5 }));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const path = parts.join('/');
        let resolved: string;
        try {
          resolved = resolveInside('/root/x', path).toString();
        } catch (error) {
          assert.ok(isUnsafe(error));
          return;
        }
        assert.ok(resolve(resolved).startsWith('/root/x/'));
        assert.equal(
          Buffer.concat(safeSegments(path).map((segment) => Buffer.concat([Buffer.from('/'), segment]))).toString(),
          resolved.slice(7),
        );
      }),
      { seed: 7, numRuns: 1000 },
    );
  });
});
