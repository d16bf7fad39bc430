import { defineConfig } from 'holdfast';

export default defineConfig({
  databases: [{ alias: 'shop', url: 'sqlite:shop.db', models: {} }],
  models: { orm: 'drizzle', schema: 'src/schema.ts' },
  storage: { backend: 'local', path: 'backups' },
});
