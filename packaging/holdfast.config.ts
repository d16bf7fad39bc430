// The configuration of packaging/compose.yaml: a database, a cache and uploads, kept in a bucket and in a local folder.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a configuration has variables of its own in plain strings
import { defineConfig } from 'holdfast';

export default defineConfig({
  databases: [{ alias: 'shop', url: '${DATABASE_URL}' }],
  commands: [
    {
      alias: 'cache',
      // The password is in $REDISCLI_AUTH.
      command: ['redis-cli', '-h', 'valkey', '--rdb', '-'],
      environment: ['REDISCLI_AUTH'],
    },
  ],
  files: [{ path: '/uploads', name: 'uploads' }],
  storage: {
    bucket: {
      backend: 's3',
      bucket: 'backups',
      endpointUrl: '${S3_ENDPOINT_URL}',
      accessKey: '${S3_ACCESS_KEY}',
      secretKey: '${S3_SECRET_KEY}',
      region: 'us-east-1',
    },
    local: { backend: 'local', path: '/backups' },
  },
  // Their identity is not on this machine: what it writes it cannot read.
  recipients: ['${BACKUP_RECIPIENT}'],
  schedule: { dailyTime: '02:30', timezone: 'UTC' },
  retention: { keepDaily: 14, keepWeekly: 8, keepMonthly: 12 },
});
