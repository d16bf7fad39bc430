import type { HoldfastConfig } from './config-schema.ts';

/**
 * Gives a configuration its type, for completion in an editor; it changes nothing.
 *
 * @example
 * export default defineConfig({ databases: [{ alias: 'shop', url: 'sqlite:shop.db' }], files: ['uploads'] });
 */
export function defineConfig(config: HoldfastConfig): HoldfastConfig {
  return config;
}
