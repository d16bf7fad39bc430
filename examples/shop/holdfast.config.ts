import { defineConfig } from 'holdfast';

export default defineConfig({
  databases: [{ alias: 'shop', url: 'sqlite:shop.db' }],
  files: ['uploads'],
  storage: { backend: 'local', path: 'backups' },
});
