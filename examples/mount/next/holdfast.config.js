/** What is backed up, and where to. `holdfast.config.ts` does as well. */
export default {
  files: ['uploads'],
  storage: { backend: 'local', path: 'backups' },
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration has variables of its own
  encryptionKey: '${BACKUP_ENCRYPTION_KEY}',
};
