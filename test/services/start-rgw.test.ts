import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { serviceFolderParents } from './service-folder.ts';
import { leftOut } from './service-packages.ts';
import { startRgw } from './start-rgw.ts';

const skip = leftOut('rgw16');

test('it answers, survives a killed gateway, and stopping removes everything', { skip }, async () => {
  const names = () => serviceFolderParents().flatMap((parent) => readdirSync(parent));
  const folders = () => names().filter((name) => name.includes(`-${process.pid}-`));
  assert.deepEqual(folders(), []);
  const service = await startRgw();
  assert.match(service.version, /^16\.2\./);
  assert.match(await (await fetch(service.url)).text(), /ListAllMyBucketsResult/);
  assert.match(await service.administer('user', 'info', '--uid=test'), new RegExp(service.accessKey));
  await service.kill();
  await assert.rejects(fetch(service.url));
  await service.restart();
  assert.equal((await fetch(service.url)).status, 200);
  await service.stop();
  await service.stop();
  await assert.rejects(fetch(service.url));
  assert.deepEqual(folders(), []);
});
