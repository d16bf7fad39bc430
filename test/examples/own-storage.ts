import { defineConfig, MemoryStorage, type Storage } from '../../src/index.ts';

/** A storage that also tells what is deleted. */
export function announcing(inner: Storage, announce: (name: string) => void): Storage {
  return {
    properties: inner.properties,
    writer: (name, options) => inner.writer(name, options),
    open: (name) => inner.open(name),
    stat: (name) => inner.stat(name),
    list: (prefix) => inner.list(prefix),
    delete: async (name) => {
      await inner.delete(name);
      announce(name);
    },
    url: (name) => inner.url(name),
    close: () => inner.close(),
  };
}

export default defineConfig({
  files: ['uploads'],
  storage: {
    near: { backend: 'local', path: 'backups' },
    own: announcing(new MemoryStorage(), (name) => console.error(`${name} was deleted`)),
  },
});
