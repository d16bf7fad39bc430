/** The guide says what works: its settings, its server and its folder are used as they stand there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sftpAdapter } from '../../src/storage/sftp/sftp-adapter.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { startSshd } from '../services/start-sshd.ts';

leaveOutWithout('sshd');

const guide = readFileSync(fileURLToPath(new URL('../../docs/guides/storage-sftp.md', import.meta.url)), 'utf8');

function block(language: string): string {
  const text = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(guide)?.[1];
  assert.ok(text !== undefined, `the guide has no block ${language}`);
  return text;
}

const skip = process.getuid?.() === 0 ? false : 'an account of its own needs root';

test('the settings, the server and the folder of the guide work together, and give no shell', {
  skip,
}, async (context) => {
  const server = await startSshd({
    password: 's3cret',
    setup: block('sh'),
    settings: block('sshd_config').trimEnd().split('\n'),
  });
  context.after(() => server.stop());
  const settings = sftpAdapter.schema.parse(JSON.parse(block('json')));
  const { host, port, keyPath: key } = server;
  const knownHosts = server.knownHosts.join('\n');
  const storage = await sftpAdapter.open({ ...settings, host, port, key, knownHosts }, { folder: '/' });
  const writer = await storage.writer('daily/x', { copies: 2 });
  await writer.write(Buffer.from('abc'));
  await writer.commit();
  assert.equal((await storage.stat('daily/x')).sizeBytes, 6);
  await storage.close();
  const outside = await sftpAdapter.open({ ...settings, host, port, key, knownHosts, rootPath: '/' }, { folder: '/' });
  await assert.rejects(outside.writer('x', { copies: 1 }), { code: 'storage.unauthorized' });
  await outside.close();
  const byPassword = { ...settings, key: undefined, host, port, knownHosts, password: 's3cret' };
  const refused = await sftpAdapter.open(byPassword, { folder: '/' });
  await assert.rejects(refused.stat('x'), { code: 'storage.credentials', message: /the server takes publickey$/ });
  await refused.close();
  const options = ['-F', 'none', '-i', key, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'];
  const shell = spawnSync('ssh', [...options, '-p', String(port), `backup@${host}`, 'id'], { encoding: 'utf8' });
  assert.notEqual(shell.status, 0);
  assert.doesNotMatch(shell.stdout, /uid=/);
});

test('every setting is in the table of the guide, with its default', () => {
  const settings = sftpAdapter.schema.parse({ backend: 'sftp', host: 'h', user: 'u' });
  for (const name of Object.keys(sftpAdapter.schema.shape).filter((each) => each !== 'backend')) {
    assert.match(guide, new RegExp(`^\\| .*\`${name}\``, 'm'), name);
  }
  assert.equal(settings.port, 22);
  assert.match(guide, /^\| `host`, `port` .* port 22 \|$/m);
  for (const name of ['knownHosts', 'connectTimeoutSeconds', 'timeoutSeconds', 'interactive'] as const) {
    assert.match(guide, new RegExp(`^\\| \`${name}\` .*\\| \`?${String(settings[name])}\`? \\|$`, 'm'), name);
  }
});
