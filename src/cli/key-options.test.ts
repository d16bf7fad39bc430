import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { entriesSource } from '../../test/end-to-end/workspace.ts';
import type { HoldfastError } from '../errors.ts';
import { createBackup } from '../operation/backup.ts';
import type { SealKeys } from '../operation/options.ts';
import { Secret } from '../secret.ts';
import { MemoryStorage } from '../storage/memory/memory-storage.ts';
import type { CommandContext } from './command-context.ts';
import { givenOpenKeys, openKeys, readPassphraseFile, readRecipients, sealKeys } from './key-options.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-keys-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function contextWith(environment: Record<string, string>): CommandContext {
  const signal = new AbortController().signal;
  return { environment, signal, openTerminal: () => undefined } as unknown as CommandContext;
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const hasCode = (code: string) => (error: HoldfastError) => error.code === code;
const identity = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;
const recipient = `age1${'q'.repeat(58)}`;

test('a passphrase file loses one newline at its end, and nothing else', async () => {
  const rows: [string, string][] = [
    ['secret', 'secret'],
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['secret\n\n', 'secret\n'],
    [' se cret ', ' se cret '],
  ];
  for (const [text, expected] of rows) {
    assert.equal((await readPassphraseFile(await file('passphrase', text))).reveal(), expected);
  }
  await assert.rejects(readPassphraseFile(await file('empty', '\n')), hasCode('key.invalid'));
  await assert.rejects(readPassphraseFile(join(folder, 'missing')), hasCode('usage.invalid'));
});

test('the command line counts before the environment, the file before the text', async () => {
  const context = contextWith({ HOLDFAST_PASSPHRASE: 'of environment' });
  const passphraseFile = await file('chosen', 'of file\n');
  const revealed = async (options: { passphraseFile?: string; passphrase?: string }) =>
    (await givenOpenKeys(options, context))?.passphrases?.map((secret) => secret.reveal());
  assert.deepEqual(await revealed({}), ['of environment']);
  assert.deepEqual(await revealed({ passphrase: 'of option' }), ['of option']);
  assert.deepEqual(await revealed({ passphraseFile }), ['of file']);
  assert.equal(await givenOpenKeys({}, contextWith({ HOLDFAST_PASSPHRASE: '' })), undefined);
});

test('identity files may have comments and blank lines; a wrong line is named by its number, not its text', async () => {
  const good = await file('good', `# created: today\n\n${identity}\n${identity.toLowerCase()}\n`);
  const keys = await givenOpenKeys({ identityFile: [good] }, contextWith({}));
  assert.deepEqual(
    keys?.identities?.map((secret) => secret.reveal()),
    [identity, identity.toLowerCase()],
  );
  const bad = await file('bad', `# one\n${identity}!canary\n`);
  await assert.rejects(givenOpenKeys({ identityFile: [bad] }, contextWith({})), (error: HoldfastError) => {
    assert.equal(error.code, 'key.invalid');
    assert.match(error.message, /line 2 of/);
    assert.doesNotMatch(error.message, /canary/);
    return true;
  });
  const none = await file('none', '# nothing\n');
  await assert.rejects(givenOpenKeys({ identityFile: [none] }, contextWith({})), hasCode('key.invalid'));
});

test('an identity in place of a recipient is refused and not shown', async () => {
  assert.deepEqual(await readRecipients({ recipient: [recipient] }), [recipient]);
  await assert.rejects(readRecipients({ recipient: [identity] }), (error: HoldfastError) => {
    assert.equal(error.code, 'key.invalid');
    assert.doesNotMatch(error.message, /QQQ/);
    return true;
  });
});

test('sealing uses what is given; with nothing and nobody to ask it is refused', async () => {
  const sealed = await sealKeys({ recipient: [recipient] }, contextWith({}));
  assert.deepEqual(sealed, { recipients: [recipient] });
  const both = await sealKeys({ recipient: [recipient], passphrase: 'also' }, contextWith({}));
  assert.equal(both.passphrases?.length, 1);
  assert.deepEqual(both.recipients, [recipient]);
  await assert.rejects(sealKeys({}, contextWith({})), hasCode('key.missing'));
});

test('an archive is only asked about when no key is given, and needs one only when it is encrypted', async () => {
  const never = { storage: new MemoryStorage(), name: 'none.holdfast' };
  assert.ok(await openKeys(never, { passphrase: 'given' }, contextWith({})));
  const make = async (name: string, keys?: SealKeys) => {
    const output = { storage: never.storage, name };
    const sources = [entriesSource('given', [{ path: 'files/given/a', bytes: new Uint8Array(1) }])];
    await createBackup({ threads: 0, sources, output, ...(keys ? { keys } : { encryption: 'none' as const }) });
    return output;
  };
  assert.equal(await openKeys(await make('open.holdfast'), {}, contextWith({})), undefined);
  const sealed = await make('sealed.holdfast', { passphrases: [new Secret('sealed')] });
  await assert.rejects(openKeys(sealed, {}, contextWith({})), hasCode('key.missing'));
  const ofAge = await make('age.holdfast', { recipients: [await identityToRecipient(await generateX25519Identity())] });
  await assert.rejects(openKeys(ofAge, {}, contextWith({})), (error: HoldfastError) =>
    /--identity-file/.test(error.hint),
  );
});
