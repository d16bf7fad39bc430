/** Who the server is, who the user is, and what is said when either is not as it should be. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { HoldfastError } from '../../src/errors.ts';
import { sftpAdapter } from '../../src/storage/sftp/sftp-adapter.ts';
import { freePort } from '../services/free-port.ts';
import { leaveOutWithout } from '../services/service-packages.ts';
import { type SshdService, startSshd } from '../services/start-sshd.ts';

leaveOutWithout('sshd');

const needsRoot = process.getuid?.() === 0 ? false : 'an account with a password needs root';
const folder = mkdtempSync(join(tmpdir(), 'holdfast-sftp-login-'));
let server: SshdService;

before(async () => {
  server = await startSshd();
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Settings = Readonly<Record<string, unknown>>;

function settingsFor(service: SshdService, settings: Settings): Settings {
  const { host, port, user, keyPath } = service;
  const knownHosts = service.knownHosts.join('\n');
  return { backend: 'sftp', host, port, user, key: keyPath, knownHosts, rootPath: service.folder, ...settings };
}

/** Lists what is stored: that needs a whole log-in. */
async function logIn(settings: Settings, environment: Record<string, string> = {}): Promise<string[]> {
  const storage = await sftpAdapter.open(sftpAdapter.schema.parse(settings), { folder, environment });
  try {
    const names: string[] = [];
    for await (const { name } of storage.list()) names.push(name);
    return names;
  } finally {
    await storage.close();
  }
}

/** The error in one text, as a user sees it. */
async function failure(settings: Settings): Promise<string> {
  try {
    await logIn(settings);
  } catch (error) {
    assert.ok(error instanceof HoldfastError, String(error));
    const text = `${error.message} [${error.code}] hint: ${error.hint}`;
    for (const secret of ['s3cret', 'wrong-one', 'wrong-phrase']) assert.ok(!text.includes(secret), text);
    assert.ok(!JSON.stringify(error).includes('s3cret'));
    return text;
  }
  assert.fail('the log-in succeeded');
}

test('a key opens, as a file or as text, plain or with its passphrase', async () => {
  assert.deepEqual(await logIn(settingsFor(server, {})), []);
  assert.deepEqual(await logIn(settingsFor(server, { key: readFileSync(server.keyPath, 'utf8') })), []);
  assert.deepEqual(await logIn(settingsFor(server, { key: server.encryptedKeyPath, passphrase: 'phrase' })), []);
});

test('a key that does not open says why', async () => {
  const withKey = (key: string, more: Settings = {}) => failure(settingsFor(server, { key, ...more }));
  assert.match(
    await withKey(server.encryptedKeyPath),
    /it has a passphrase \[storage.credentials\] hint: set `passphrase`/,
  );
  const wrong = await withKey(server.encryptedKeyPath, { passphrase: 'wrong-phrase' });
  assert.match(wrong, /the passphrase does not open it \[storage.credentials\]/);
  assert.match(await withKey('missing'), /the key .*\/missing: it does not exist \[storage.credentials\]/);
  assert.match(await withKey(`${server.keyPath}.pub`), /it is not a private key .* without `.pub`/);
  writeFileSync(join(folder, 'junk'), 'junk');
  assert.match(await withKey('junk'), /it cannot be read: Unsupported key format \[storage.credentials\]/);
  const path = join(folder, 'other');
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
  const refused = await withKey(path);
  assert.match(
    refused,
    /the server refused the user .*: it was tried with the key .*\/other \(SHA256:[^)]+\); the server takes publickey/,
  );
  assert.match(refused, /\[storage.credentials\] hint: check `user`, and that the key's public half/);
});

test('an agent signs', async (context) => {
  const socket = join(folder, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  context.after(() => agent.kill());
  const tries = Date.now() + 10_000;
  while (!existsSync(socket) && Date.now() < tries) await new Promise((resolve) => setImmediate(resolve));
  const { key: _, ...settings } = settingsFor(server, { agent: true });
  const environment = { SSH_AUTH_SOCK: socket };
  await assert.rejects(logIn(settings, environment), {
    code: 'storage.credentials',
    message: /tried with the keys of the agent/,
  });
  spawnSync('ssh-add', ['-q', server.keyPath], { env: { ...process.env, ...environment } });
  assert.deepEqual(await logIn(settings, environment), []);
  assert.deepEqual(await logIn({ ...settings, agent: socket }), []);
  await assert.rejects(logIn({ ...settings, agent: join(folder, 'no-agent') }), {
    code: 'storage.credentials',
    message: /the agent: Failed to connect to agent/,
  });
  await assert.rejects(logIn(settings, {}), { code: 'config.invalid', message: /SSH_AUTH_SOCK/ });
});

test('settings that contradict each other are refused before anything is asked', async () => {
  const { key: _, ...none } = settingsFor(server, {});
  assert.match(await failure(none), /nothing is given to log in with \[config.invalid\]/);
  assert.match(
    await failure({ ...none, password: 's3cret', passphrase: 'phrase' }),
    /`passphrase` is given without `key`/,
  );
});

test('a host that is not known, is another one, or is revoked gets no log-in', async () => {
  const [line = ''] = server.knownHosts;
  const { port } = server;
  const withHosts = (knownHosts: string) => failure(settingsFor(server, { knownHosts }));
  const unknown = await withHosts(line.replace(`:${port} `, ':1 '));
  assert.match(
    unknown,
    /\[127.0.0.1\]:\d+: the host key \S+ SHA256:\S+ is not known: the setting knownHosts has no line/,
  );
  assert.match(
    unknown,
    /\[storage.certificate\] hint: ask whoever runs the server .*`ssh-keyscan -p \d+ 127.0.0.1 \| ssh-keygen -lf -`/,
  );
  const missing = await withHosts(join(folder, 'no-such-file'));
  assert.match(missing, /no-such-file has no line for \[127.0.0.1\]/);
  const otherKey = server.knownHosts[1]?.split(' ').slice(1).join(' ') ?? '';
  const type = otherKey.split(' ')[0] ?? '';
  // The file has another key of the type that the server is asked for.
  const changed = await withHosts(`[127.0.0.1]:${port} ${type} ${makeOtherKey(type)}`);
  assert.match(
    changed,
    /the host key is not the one that is known: the server shows .* line 1 of the setting knownHosts says SHA256:/,
  );
  assert.match(changed, /\[storage.certificate\] hint: somebody may be in between.*ssh-keygen -R '\[127.0.0.1\]:\d+'/);
  const revoked = await withHosts(`${line}\n${server.knownHosts.map((each) => `@revoked ${each}`).join('\n')}`);
  assert.match(revoked, /is revoked by line \d of .* \[storage.certificate\]/);
  const authority = await withHosts(`@cert-authority * ${line.split(' ').slice(1).join(' ')}`);
  assert.match(authority, /@cert-authority in line 1 of the setting knownHosts is not supported/);
});

/** The base64 of a new public key. */
function makeOtherKey(type: string): string {
  const path = join(folder, 'other-host');
  for (const old of [path, `${path}.pub`]) rmSync(old, { force: true });
  spawnSync('ssh-keygen', ['-q', '-t', type.startsWith('ecdsa') ? 'ecdsa' : 'ed25519', '-N', '', '-f', path]);
  return readFileSync(`${path}.pub`, 'utf8').split(' ')[1] ?? '';
}

test('the server is asked for the key that it is known by, whatever it prefers', async () => {
  for (const line of server.knownHosts) {
    assert.deepEqual(await logIn(settingsFor(server, { knownHosts: line })), []);
    const path = join(folder, 'known_hosts');
    writeFileSync(path, `${line}\n`);
    spawnSync('ssh-keygen', ['-H', '-f', path], { stdio: 'ignore' });
    assert.deepEqual(await logIn(settingsFor(server, { knownHosts: 'known_hosts' })), []);
  }
});

test('a changed host key is noticed on the next connection of a storage that is open', async () => {
  const other = await startSshd();
  try {
    const settings = settingsFor(other, {});
    const storage = await sftpAdapter.open(sftpAdapter.schema.parse(settings), { folder });
    const list = async () => {
      for await (const _ of storage.list());
    };
    await list();
    await other.changeHostKeys();
    await assert.rejects(list(), { code: 'storage.certificate', message: /not the one that is known/ });
    await storage.close();
  } finally {
    await other.stop();
  }
});

test('what does not answer, or is no SSH server, is told apart', async (context) => {
  const at = (settings: Settings) => failure(settingsFor(server, { connectTimeoutSeconds: 20, ...settings }));
  const port = await freePort();
  assert.match(
    await at({ port }),
    /nothing listens on this port \[storage.unavailable\] hint: check `host` and `port`/,
  );
  assert.match(await at({ host: 'no-such-host.invalid' }), /\(DNS\) \[storage.unavailable\]/);
  const sockets = new Set<Socket>();
  let greeting = '';
  const silent = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).write(greeting);
  });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  context.after(() => {
    silent.close();
    for (const socket of sockets) socket.destroy();
  });
  const silentPort = (silent.address() as AddressInfo).port;
  assert.match(
    await at({ port: silentPort, connectTimeoutSeconds: 0.3 }),
    /did not answer within 0.3 s \[storage.timeout\]/,
  );
  greeting = 'HTTP/1.1 400 Bad Request\r\n\r\n';
  assert.match(await at({ port: silentPort, connectTimeoutSeconds: 0.3 }), /\[storage.(timeout|unavailable|failed)\]/);
});

test('a server without SFTP says so', async () => {
  const other = await startSshd({ subsystem: '/bin/false' });
  try {
    assert.match(
      await failure(settingsFor(other, {})),
      /the server does not start SFTP: .* \[storage.failed\] hint: .*Subsystem/,
    );
  } finally {
    await other.stop();
  }
});

test('a password opens, and a wrong one says what else the server takes', { skip: needsRoot }, async () => {
  const other = await startSshd({ password: 's3cret' });
  try {
    const { key: _, ...settings } = settingsFor(other, {});
    assert.deepEqual(await logIn({ ...settings, password: 's3cret' }), []);
    const wrong = await failure({ ...settings, password: 'wrong-one' });
    assert.match(
      wrong,
      /refused the user backup: it was tried with the password; the server takes publickey,? ?password/,
    );
    assert.match(wrong, /\[storage.credentials\] hint: check `user` and the password/);
    assert.match(
      await failure({ ...settings, user: 'nobody-here', password: 's3cret' }),
      /refused the user nobody-here/,
    );
    // A key that is not taken, then the password.
    assert.deepEqual(await logIn({ ...settings, key: join(folder, 'other'), password: 's3cret' }), []);
  } finally {
    await other.stop();
  }
});

test('a server that asks by a prompt is answered where that is allowed', { skip: needsRoot }, async () => {
  const prompts = ['UsePAM yes', 'KbdInteractiveAuthentication yes', 'PasswordAuthentication no'];
  const other = await startSshd({ password: 's3cret', settings: prompts });
  try {
    const { key: _, ...settings } = settingsFor(other, {});
    assert.deepEqual(await logIn({ ...settings, password: 's3cret', interactive: true }), []);
    assert.match(await failure({ ...settings, password: 's3cret' }), /hint: .* set `interactive: true`/);
    const wrong = await failure({ ...settings, password: 'wrong-one', interactive: true });
    assert.match(wrong, /tried with the password, the password at a prompt|tried with the password at a prompt/);
  } finally {
    await other.stop();
  }
});

test('a server that wants both a key and a password gets both', { skip: needsRoot }, async () => {
  const other = await startSshd({ password: 's3cret', settings: ['AuthenticationMethods publickey,password'] });
  try {
    assert.deepEqual(await logIn(settingsFor(other, { password: 's3cret' })), []);
    assert.match(await failure(settingsFor(other, {})), /the server takes password \[storage.credentials\]/);
  } finally {
    await other.stop();
  }
});
