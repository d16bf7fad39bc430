import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRunning } from '../../src/disk/process-life.ts';
import { leftOut } from './service-packages.ts';
import { type SshdService, startSshd } from './start-sshd.ts';

const skip = leftOut('sshd');

/** What OpenSSH's own client says. */
function ask(server: SshdService, command: string, user = server.user) {
  const options = [
    '-F',
    'none',
    '-i',
    server.keyPath,
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
  ];
  const args = [...options, '-o', 'BatchMode=yes', '-P', String(server.port), '-b', '-', `${user}@${server.host}`];
  return spawnSync('sftp', args, { input: `${command}\n`, encoding: 'utf8' });
}

test('it serves its folder to who has its key, again after a crash, and leaves nothing', { skip }, async () => {
  const server = await startSshd();
  assert.match(server.version, /^\d+\.\d+/);
  const { processId } = server;
  assert.equal(ask(server, `mkdir ${server.folder}/a`).status, 0);
  await server.kill();
  assert.notEqual(ask(server, 'pwd').status, 0);
  await server.restart();
  const listed = ask(server, `ls ${server.folder}`);
  assert.match(listed.stdout, /\/a\s*\n/);
  const [before] = server.knownHosts;
  await server.changeHostKeys();
  assert.notEqual(server.knownHosts[0], before);
  assert.equal(ask(server, 'pwd').status, 0);
  await server.stop();
  await server.stop();
  assert.ok(!existsSync(server.folder));
  assert.ok(!isRunning(processId) || readFileSync(`/proc/${processId}/status`, 'utf8').includes('State:\tZ'));
});

const needsRoot = process.getuid?.() === 0 ? skip : 'an account of its own needs root';

test('an account of its own is not one of this machine, nor is its disk', { skip: needsRoot }, async () => {
  const server = await startSshd({ password: 's3cret', diskBytes: 2 * 1024 * 1024, setup: 'mkdir /srv/there' });
  assert.equal(server.user, 'backup');
  assert.equal(ask(server, `mkdir ${server.folder}/a`).status, 0);
  assert.equal(ask(server, 'ls /srv/there').status, 0);
  assert.ok(!existsSync(join(server.folder, 'a')));
  assert.ok(!existsSync('/srv/there'));
  assert.doesNotMatch(readFileSync('/etc/passwd', 'utf8'), new RegExp(server.folder));
  await server.stop();
});
