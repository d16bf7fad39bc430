import assert from 'node:assert/strict';
import { MediaStorage, type MediaStorageOptions } from '../storage/media/media-storage.ts';
import type { Storage } from '../storage/storage.ts';
import { SeededRandom } from './seeded-random.ts';
import { assertCode } from './storage-case.ts';

/** What not every storage has: it keeps the headers of its objects; it signs URLs. */
export type MediaNeed = 'headers' | 'signed URLs';

/** One promise of {@link MediaStorage}, which holds on every storage. */
export interface MediaStorageCase {
  readonly name: string;
  readonly needs?: MediaNeed;
  /** `makeStorage` gives one that is empty; the case closes it. */
  run(makeStorage: () => Promise<Storage>): Promise<void>;
}

/** Names as users give them to their files. */
export const oddNames: readonly string[] = [
  'Grüße aus Köln.png',
  '日本語/写真.jpg',
  'e\u0301.txt',
  'two  spaces .txt',
  'a+b=c.txt',
  '100%.txt',
  '%41%2F.txt',
  '.hidden',
  '..two-dots',
  '.folder/..file',
  '#hash?query&x=1.html',
  `quotes "and" 'more'.txt`,
  'back\\slash.txt',
  'semi;colon,comma.txt',
  '😀.gif',
];

type Options = Omit<MediaStorageOptions, 'storage'>;

function mediaCase(
  name: string,
  body: (media: MediaStorage) => Promise<void>,
  { needs, ...options }: Options & { readonly needs?: MediaNeed } = {},
): MediaStorageCase {
  const run = async (makeStorage: () => Promise<Storage>) => {
    await using media = new MediaStorage({ storage: await makeStorage(), ...options });
    await body(media);
  };
  return needs === undefined ? { name, run } : { name, needs, run };
}

async function textOf(media: MediaStorage, name: string): Promise<string> {
  return await (await media.open(name)).text();
}

async function namesOf(media: MediaStorage, prefix?: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of media.list(prefix)) names.push(name);
  return names.sort();
}

/** Chunks in memory that is used again for each. */
async function* reused(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(chunkBytes);
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    const part = bytes.subarray(offset, offset + chunkBytes);
    memory.set(part);
    yield memory.subarray(0, part.length);
  }
}

const savingCases: readonly MediaStorageCase[] = [
  mediaCase('a file is saved under its name, and is there', async (media) => {
    assert.equal(await media.exists('notes/a.txt'), false);
    assert.equal(await media.save('notes/a.txt', 'body'), 'notes/a.txt');
    assert.equal(await media.exists('notes/a.txt'), true);
    assert.equal(await media.size('notes/a.txt'), 4);
    assert.ok(Math.abs((await media.modifiedAt('notes/a.txt')).getTime() - Date.now()) < 60_000);
    assert.equal(await textOf(media, 'notes/a.txt'), 'body');
    await using file = await media.open('notes/a.txt');
    assert.equal(file.contentType, 'text/plain');
  }),
  mediaCase('a name that is taken gets a suffix, and nothing is replaced', async (media) => {
    await media.save('a.tar.gz', 'one');
    const second = await media.save('a.tar.gz', 'two');
    assert.match(second, /^a\.tar_[a-z2-7]{8}\.gz$/);
    assert.equal(await textOf(media, 'a.tar.gz'), 'one');
    assert.equal(await textOf(media, second), 'two');
  }),
  mediaCase('of many that save one name at once each gets a name of its own', async (media) => {
    const texts = Array.from({ length: 12 }, (_, index) => `text ${index}`);
    const names = await Promise.all(texts.map((text) => media.save('same.txt', text)));
    assert.equal(new Set(names).size, texts.length);
    for (const [index, name] of names.entries()) assert.equal(await textOf(media, name), texts[index]);
  }),
  mediaCase('content comes as bytes, a Blob, a stream of the web or of chunks, also without bytes', async (media) => {
    const bytes = new TextEncoder().encode('some text');
    const file = new File([bytes], 'upload.txt');
    const contents = [bytes, file, file.stream(), reused(bytes, 2)];
    for (const [index, content] of contents.entries()) {
      assert.equal(await textOf(media, await media.save(`${index}.txt`, content)), 'some text');
    }
    for (const [index, content] of ['', new Uint8Array(0), new Blob([]), reused(new Uint8Array(0), 1)].entries()) {
      const name = await media.save(`empty-${index}`, content);
      assert.equal(await media.size(name), 0);
      assert.equal(await textOf(media, name), '');
    }
  }),
  ...[5 * 2 ** 20 - 1, 5 * 2 ** 20, 6 * 2 ** 20 + 1].map((sizeBytes) =>
    mediaCase(`a stream of ${sizeBytes} bytes comes back as it was, under a name of its own`, async (media) => {
      const bytes = new SeededRandom(sizeBytes).bytes(sizeBytes);
      const names = [
        await media.save('large.bin', reused(bytes, 300_001)),
        await media.save('large.bin', reused(bytes, 70_000)),
        await media.save('large.bin', new Blob([bytes as Uint8Array<ArrayBuffer>])),
      ];
      assert.equal(new Set(names).size, 3);
      for (const name of names) {
        assert.equal(Buffer.compare(await (await media.open(name)).bytes(), bytes), 0);
        const range = new Uint8Array(1000);
        await using file = await media.open(name);
        assert.equal(await file.read(sizeBytes - 500, range), 500);
        assert.equal(Buffer.compare(range.subarray(0, 500), bytes.subarray(-500)), 0);
      }
    }),
  ),
  mediaCase('a stream that fails, early or late, leaves nothing, and its error is thrown on', async (media) => {
    const failure = new Error('the upload broke off');
    for (const sizeBytes of [10, 6 * 2 ** 20]) {
      const failing = async function* () {
        yield* reused(new Uint8Array(sizeBytes), 100_000);
        throw failure;
      };
      await assert.rejects(media.save('broken.bin', failing()), (error) => error === failure);
    }
    assert.deepEqual(await namesOf(media), []);
  }),
  mediaCase('a saving that is aborted leaves nothing', async (media) => {
    const controller = new AbortController();
    const content = async function* () {
      yield* reused(new Uint8Array(6 * 2 ** 20), 100_000);
      controller.abort();
      yield new Uint8Array(1);
    };
    await assertCode(media.save('a.bin', content(), { signal: controller.signal }), 'operation.interrupted');
    await assertCode(media.save('a.bin', 'x', { signal: AbortSignal.abort() }), 'operation.interrupted');
    assert.deepEqual(await namesOf(media), []);
  }),
  mediaCase('what is no content is refused', async (media) => {
    const objects = async function* () {
      yield { not: 'bytes' } as unknown as Uint8Array;
    };
    await assertCode(media.save('a', objects()), 'usage.invalid');
    assert.deepEqual(await namesOf(media), []);
  }),
];

const nameCases: readonly MediaStorageCase[] = [
  mediaCase('names that leave the root are refused, by every call', async (media) => {
    for (const name of ['../a', 'a/../../b', '/etc/passwd', '', 'a//b', './a', 'a/', 'a\0b']) {
      for (const call of [
        media.save(name, 'x'),
        media.open(name),
        media.exists(name),
        media.size(name),
        media.delete(name),
        media.url(name),
      ]) {
        await assertCode(call, 'storage.unauthorized');
      }
    }
    assert.deepEqual(await namesOf(media), []);
  }),
  mediaCase('names of every kind come back as they were', async (media) => {
    for (const name of oddNames) assert.equal(await media.save(name, name), name);
    assert.deepEqual(await namesOf(media), [...oddNames].sort());
    for (const name of oddNames) assert.equal(await textOf(media, name), name);
    assert.deepEqual(await namesOf(media, '日本語/'), ['日本語/写真.jpg']);
    for (const name of oddNames) await media.delete(name);
    await media.delete('never-there');
    assert.deepEqual(await namesOf(media), []);
  }),
  mediaCase('what is not there is told so', async (media) => {
    await assertCode(media.open('none'), 'storage.not_found');
    await assertCode(media.size('none'), 'storage.not_found');
    await assertCode(media.modifiedAt('none'), 'storage.not_found');
  }),
];

const urlCases: readonly MediaStorageCase[] = [
  mediaCase(
    'public URLs are percent-encoded, below where the files are served',
    async (media) => {
      assert.equal(await media.url('a b/ü+%#?.png'), 'https://cdn.example.org/m/a%20b/%C3%BC%2B%25%23%3F.png');
    },
    { publicUrl: 'https://cdn.example.org/m' },
  ),
  mediaCase(
    'a signed URL reads the file, and nothing without its signature',
    async (media) => {
      const name = await media.save('a b+ü%.txt', 'signed');
      const url = await media.url(name, { expiresSeconds: 60 });
      assert.match(url, /X-Amz-Expires=60/);
      const answer = await fetch(url);
      assert.equal(answer.headers.get('content-type'), 'text/plain');
      assert.equal(await answer.text(), 'signed');
      const plain = await fetch(url.replace(/\?.*/, ''));
      await plain.body?.cancel();
      assert.equal(plain.status, 403);
      for (const expiresSeconds of [0, 1.5, 604_801]) {
        await assertCode(media.url(name, { expiresSeconds }), 'usage.invalid');
      }
    },
    { needs: 'signed URLs' },
  ),
  mediaCase(
    'type, headers and metadata are kept, and the cache header of the whole unless a file has its own',
    async (media) => {
      const name = await media.save('page.html', '<p>', {
        contentDisposition: 'attachment',
        contentLanguage: 'de',
        metadata: { owner: '7' },
      });
      await using file = await media.open(name);
      assert.equal(file.contentType, 'text/html');
      assert.deepEqual(file.headers, {
        contentType: 'text/html',
        cacheControl: 'max-age=60',
        contentDisposition: 'attachment',
        contentLanguage: 'de',
        metadata: { owner: '7' },
      });
      const other = await media.save('x', 'y', { contentType: 'image/avif', cacheControl: 'no-store' });
      await using second = await media.open(other);
      assert.deepEqual([second.headers.contentType, second.headers.cacheControl], ['image/avif', 'no-store']);
      await using empty = await media.open(await media.save('empty.css', ''));
      assert.equal(empty.contentType, 'text/css');
    },
    { needs: 'headers', cacheControl: 'max-age=60' },
  ),
];

/** The promises of {@link MediaStorage}, free of any test runner. */
export const mediaStorageCases: readonly MediaStorageCase[] = [...savingCases, ...nameCases, ...urlCases];
