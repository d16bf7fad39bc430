/** The examples of `examples/mount` run as they are, and the admin works in each of them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { frameworksFolder, whyNoFrameworks } from '../services/web-frameworks.ts';
import { backUpMounted, makeFirstAdmin, useMountedAdmin } from './mounted-admin.ts';
import {
  installSources,
  layOutExample,
  linkModules,
  type StartedApplication,
  startApplication,
} from './mounted-application.ts';

const missing = whyNoFrameworks('servers');
const options = missing !== undefined && process.env['CI'] !== 'true' ? { skip: missing } : {};
const examples = { 'node:http': 'node-http.js', Hono: 'hono.js', Express: 'express.js', Fastify: 'fastify.js' };

let application: StartedApplication | undefined;
let remove: (() => void) | undefined;
before(async () => {
  if (missing !== undefined) return;
  const example = layOutExample('.');
  remove = example.remove;
  linkModules(join(frameworksFolder('servers'), 'node_modules'), join(example.folder, 'node_modules'));
  installSources(example.folder);
  // One process runs them all: each is a second of loading otherwise. They share a folder, and so its users.
  const imports = Object.values(examples).map((file) => `await import('./${file}');\n`);
  writeFileSync(join(example.folder, 'all.js'), imports.join(''));
  application = startApplication(example.folder, ['all.js'], { PORT: '0' });
  // Each that is opened makes a new link while there is no admin, and the last one counts. Where they listen is said on another stream.
  const names = Object.keys(examples);
  const setupPath = await application.line(/make the first admin .* (\/admin\/backups\/setup\/\S+)/, names.length);
  for (const name of names) await originOf(name);
  await makeFirstAdmin(await originOf('node:http'), setupPath);
});
after(async () => {
  await application?.stop();
  remove?.();
});

async function originOf(name: string): Promise<string> {
  return `http://127.0.0.1:${await application?.line(new RegExp(`^${name} listens at (\\d+)$`))}`;
}

for (const name of Object.keys(examples)) {
  test(`${name} mounts the admin below its own routes`, options, async () => {
    const browser = await useMountedAdmin(await originOf(name));
    if (name === 'Hono') await backUpMounted(browser);
  });
}
