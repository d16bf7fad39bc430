import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { ServiceContext } from './service-context.ts';
import { defaultUploadLimits, Uploads } from './uploads.ts';

const anna = { name: 'anna', role: 'operator' } as const;
const admin = { name: 'root', role: 'admin' } as const;

/** An upload of eight bytes of which two have come; the connection that the next ones come by stays silent. */
async function halfOpen(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-uploads-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const access = { newId: () => '0'.repeat(24) };
  const context = { access, clock: new FakeClock(), record: async () => undefined, log: assert.fail };
  const limits = { ...defaultUploadLimits, folder, reserveBytes: 0 };
  const uploads = new Uploads(context as unknown as ServiceContext, limits);
  await uploads.open();
  const { id } = await uploads.create(anna, { name: 'x', sizeBytes: 8 });
  const asked = Promise.withResolvers<void>();
  const late = Promise.withResolvers<Uint8Array>();
  async function* silent() {
    yield Buffer.from('ab');
    // The two before are written, as nothing more is asked for until then.
    asked.resolve();
    yield await late.promise;
  }
  const older = uploads.append(anna, id, 0, silent());
  await asked.promise;
  assert.equal(uploads.get(anna, id)?.receivedBytes, 2);
  return { uploads, id, older, late, path: join(folder, `${id}.part`) };
}

async function* bytes(text: string) {
  yield Buffer.from(text);
}

test('an upload goes on by a new connection while the old one is silent', async (t) => {
  const { uploads, id, older, late, path } = await halfOpen(t);
  const refused = assert.rejects(older, { code: 'request.conflict' });
  assert.equal((await uploads.append(anna, id, 2, bytes('cdef'))).receivedBytes, 6);
  await refused;
  // What the old connection still had comes to nothing.
  late.resolve(Buffer.from('CDEFGH'));
  const { isComplete } = await uploads.append(anna, id, 6, bytes('gh'));
  assert.equal(isComplete, true);
  assert.equal(await readFile(path, 'utf8'), 'abcdefgh');
});

test('nobody else takes an upload over, and nobody elsewhere than where it goes on', async (t) => {
  const { uploads, id, older, late, path } = await halfOpen(t);
  await assert.rejects(uploads.append(anna, id, 0, bytes('x')), { code: 'request.conflict' });
  await assert.rejects(uploads.append(admin, id, 2, bytes('x')), { code: 'request.conflict' });
  late.resolve(Buffer.from('cdefgh'));
  assert.equal((await older).isComplete, true);
  assert.equal(await readFile(path, 'utf8'), 'abcdefgh');
});

test('of two new connections one takes an upload over', async (t) => {
  const { uploads, id, older, path } = await halfOpen(t);
  const refused = assert.rejects(older, { code: 'request.conflict' });
  const both = await Promise.allSettled(['cdefgh', 'CDEFGH'].map((text) => uploads.append(anna, id, 2, bytes(text))));
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  await refused;
  assert.match(await readFile(path, 'utf8'), /^ab(cdefgh|CDEFGH)$/);
});
