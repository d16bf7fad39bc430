import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { leftOut } from '../../../test/services/service-packages.ts';
import { fingerprint, KnownHosts, keyType } from './known-hosts.ts';

function makeKey(type = 'ssh-ed25519'): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), randomBytes(36)]);
}

const key = makeKey();
const other = makeKey();

function line(patterns: string, shown: Buffer = key): string {
  return `${patterns} ${keyType(shown)} ${shown.toString('base64')} a comment\n`;
}

function state(text: string, host: string, port = 22): string {
  return new KnownHosts(text).judge({ host, port }, key).state;
}

test('a host is known by its key alone', () => {
  assert.equal(state(line('host'), 'host'), 'known');
  assert.equal(state(line('host'), 'HOST'), 'known');
  assert.equal(state(line('Host'), 'host'), 'known');
  assert.equal(state(line('a,host,b'), 'host'), 'known');
  assert.equal(state(line('host', other) + line('host'), 'host'), 'known');
  assert.equal(state(line('host'), 'host2'), 'unknown');
  assert.equal(state('', 'host'), 'unknown');
  assert.equal(state(line('host', other), 'host'), 'changed');
  assert.equal(state(line('host', makeKey('ssh-rsa')), 'host'), 'changed');
});

test('another port is another host', () => {
  assert.equal(state(line('[host]:2222'), 'host', 2222), 'known');
  assert.equal(state(line('host'), 'host', 2222), 'unknown');
  assert.equal(state(line('[host]:2222'), 'host'), 'unknown');
  assert.equal(state(line('[::1]:2222'), '::1', 2222), 'known');
});

test('patterns have wildcards and exceptions', () => {
  assert.equal(state(line('*.example.com'), 'a.b.example.com'), 'known');
  assert.equal(state(line('*.example.com'), 'example.com'), 'unknown');
  assert.equal(state(line('host?'), 'host1'), 'known');
  assert.equal(state(line('host?'), 'host'), 'unknown');
  assert.equal(state(line('h*o*t*'), 'host'), 'known');
  assert.equal(state(line('*,!host'), 'host'), 'unknown');
  assert.equal(state(line('!host,*'), 'host'), 'unknown');
  assert.equal(state(line('!host,*'), 'hosts'), 'known');
  assert.equal(state(line('[*.example.com]:*'), 'a.example.com', 2222), 'known');
  assert.equal(state(line('h.st'), 'host'), 'unknown');
  assert.equal(state(line(`${'*a'.repeat(5000)}b`), 'a'.repeat(5000)), 'unknown');
});

test('a revoked key is refused wherever it stands', () => {
  assert.equal(state(line('host') + line('@revoked host'), 'host'), 'revoked');
  assert.equal(state(line('@revoked *') + line('host'), 'host'), 'revoked');
  assert.equal(state(line('host') + line('@revoked host', other), 'host'), 'known');
  assert.equal(state(line('@revoked host', other), 'host'), 'unknown');
});

test('a certificate authority vouches for nothing, and is named', () => {
  const verdict = new KnownHosts(`# mine\n${line('@cert-authority *')}`).judge({ host: 'host', port: 22 }, key);
  assert.deepEqual(verdict, { state: 'unknown', authorityLine: 2 });
  assert.equal(state(line('@unheard host'), 'host'), 'unknown');
});

test('what cannot be read names no host', () => {
  const junk = [
    '# host ssh-ed25519 AAAA',
    '',
    '  ',
    'host',
    'host ssh-ed25519',
    'host ssh-ed25519 ****',
    '@revoked',
    '|',
  ];
  const wrongType = line('host').replace('ssh-ed25519', 'ssh-rsa');
  assert.equal(state([...junk, wrongType, line('|1|host'), line('|2|aa|bb')].join('\n'), 'host'), 'unknown');
  assert.equal(state([...junk, ` \t${line('host').trim()}\r`].join('\n'), 'host'), 'known');
});

test('the verdict names the line and the key that was expected', () => {
  const verdict = new KnownHosts(`\n${line('host', other)}`).judge({ host: 'host', port: 22 }, key);
  assert.deepEqual(verdict, { state: 'changed', line: 2, fingerprint: fingerprint(other) });
});

test('types of known keys are told, so that the server is asked for one of them', () => {
  const text = line('host', makeKey('ssh-rsa')) + line('h*') + line('@revoked host', makeKey('x')) + line('other');
  assert.deepEqual(new KnownHosts(text).keyTypes({ host: 'host', port: 22 }), ['ssh-rsa', 'ssh-ed25519']);
});

test('what OpenSSH hashes and fingerprints is the same here', { skip: leftOut('sshd') }, (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-known-hosts-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const keyPath = join(folder, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyPath]);
  const [type = '', base64 = ''] = readFileSync(`${keyPath}.pub`, 'utf8').split(' ');
  const made = Buffer.from(base64, 'base64');
  const path = join(folder, 'known_hosts');
  writeFileSync(path, `host.example,10.0.0.1 ${type} ${base64}\n[host.example]:2222 ${type} ${base64}\n`);
  execFileSync('ssh-keygen', ['-H', '-f', path], { stdio: 'ignore' });
  const text = readFileSync(path, 'utf8');
  assert.match(text, /^\|1\|/);
  const hosts = new KnownHosts(text);
  for (const [host, port] of [
    ['host.example', 22],
    ['10.0.0.1', 22],
    ['host.example', 2222],
  ] as const) {
    assert.equal(hosts.judge({ host, port }, made).state, 'known');
    assert.equal(hosts.judge({ host, port }, key).state, 'changed');
    assert.deepEqual(hosts.keyTypes({ host, port }), [type]);
  }
  assert.equal(hosts.judge({ host: 'host.example', port: 2223 }, made).state, 'unknown');
  const told = execFileSync('ssh-keygen', ['-lf', `${keyPath}.pub`], { encoding: 'utf8' });
  assert.ok(told.includes(` ${fingerprint(made)} `));
});
