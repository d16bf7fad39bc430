// biome-ignore-all lint/suspicious/noTemplateCurlyInString: configurations have variables of their own in plain strings
/** Configurations in the documents are valid. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configJsonSchema } from '../src/config/config-json-schema.ts';
import { openSubscriptions } from '../src/config/notification-settings.ts';
import { parseConfig } from '../src/config/parse-config.ts';
import { MemoryStorage } from '../src/storage/memory/memory-storage.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Of settings that cannot be just any text. */
const special: Readonly<Record<string, string>> = {
  STORAGES_MODE: 'do',
  STORAGE_BUCKET_NAME: 'shop-media',
  STORAGE_MAKE_FILES_PUBLIC: 'true',
  AWS_S3_CUSTOM_DOMAIN: 'cdn.example.org',
  DO_REGION: 'ams3',
  QUEUE_URL: 'redis://host.example',
  HISTORY_URL: 'postgres://host.example/history',
  ...Object.fromEntries(
    ['DATABASE_URL', 'SHOP_URL', 'CRM_URL', 'WIKI_URL'].map((name) => [name, 'postgres://host.example/database']),
  ),
};
/** Every variable is set, mostly to a URL, which any other setting takes. */
const variables = new Proxy(special, {
  get: (values, name) => values[String(name)] ?? 'https://host.example/long-enough-for-a-secret',
});

for (const path of globSync(['docs/guides/*.md', 'docs/reference/configuration.md'], { cwd: root }).sort()) {
  const blocks = [...readFileSync(join(root, path), 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(
    ([, text = '']) => text,
  );
  for (const [index, text] of blocks.filter((block) => block.includes('export default defineConfig(')).entries()) {
    test(`${path}: configuration ${index + 1} is valid`, async () => {
      const body = stripTypeScriptTypes(text)
        .replace(/^import .*$/gm, '')
        .replace('export default', 'return')
        .replace(/^export /gm, '');
      const given: unknown = new Function('defineConfig', 'MemoryStorage', body)(
        (config: unknown) => config,
        MemoryStorage,
      );
      const value = typeof given === 'function' ? await given('production') : given;
      const config = parseConfig(value, variables, path);
      assert.equal((await openSubscriptions(config, path)).length, config.notifications?.length ?? 0);
    });
  }
}

test('the JSON Schema names every setting, with the storages and what a database takes', () => {
  const { properties } = configJsonSchema() as { properties: Record<string, unknown> };
  for (const name of ['databases', 'format', 'encryptionKey', 'notifications', 'hooks', 'environment', '$schema']) {
    assert.ok(name in properties, name);
  }
  assert.match(JSON.stringify(properties['storage']), /"const":"local"/);
  assert.match(JSON.stringify(properties['databases']), /"enum":\["holdfast","plain"\]/);
  assert.match(JSON.stringify(properties['notifications']), /"const":"telegram"/);
});

/** Settings of the tools that people come from. */
const foreignNames = `
  enabled local_path s3_bucket s3_endpoint_url s3_access_key s3_secret_key s3_region s3_prefix cron interval_hours daily_time queue
  keep_daily keep_weekly keep_monthly max_total_size_mb alias exclude_tables include_tables extra_options schedule_override compression
  encryption_key notify_on_success notify_on_failure filename_template ENV_MODE
  STORAGES_MODE STORAGE_BUCKET_NAME STORAGE_MAKE_FILES_PUBLIC AWS_S3_CUSTOM_DOMAIN DO_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
  DBBACKUP_STORAGE DBBACKUP_STORAGE_OPTIONS location base_url file_permissions_mode directory_permissions_mode access_key secret_key
  bucket_name host use_ssl default_acl oauth2_access_token root_path params interactive file_mode dir_mode known_host_file
  DBS_PASSPHRASE DBS_SSH_TARGETS DBS_EXCLUDE_MODELS DBS_FILE_ROOTS file_roots username key_filename remote_dir known_hosts
`;

test('each setting of the tools that people come from stands in a table, with what it is called here', () => {
  const pages = ['docs/reference/configuration.md', 'docs/guides/storages.md'].map((path) =>
    readFileSync(join(root, path), 'utf8'),
  );
  const rows = pages.flatMap((page) => [...page.matchAll(/^\| (.*?) \| .+ \|$/gm)].map(([, there = '']) => there));
  const named = new Set(rows.flatMap((there) => there.match(/\w+/g) ?? []));
  assert.deepEqual(
    foreignNames
      .trim()
      .split(/\s+/)
      .filter((name) => !named.has(name)),
    [],
  );
});
