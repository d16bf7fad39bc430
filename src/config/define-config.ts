import type { HoldfastConfig } from './config-schema.ts';

/** A configuration, or what makes one for an environment: `production`, as $NODE_ENV says, or `default`. */
export type HoldfastConfigGiven = HoldfastConfig | ((environment: string) => HoldfastConfig | Promise<HoldfastConfig>);

/**
 * Gives a configuration its type, for completion in an editor; it changes nothing. A function is called with the environment, so that each
 * may have a storage of its own.
 *
 * @example
 * export default defineConfig({ databases: [{ alias: 'shop', url: 'sqlite:shop.db' }], files: ['uploads'] });
 * @example
 * export default defineConfig((environment) => ({
 *   databases: [{ alias: 'shop', url: '${DATABASE_URL}' }],
 *   storage: { backend: 'local', path: environment === 'production' ? '/mnt/nas/shop' : 'backups' },
 * }));
 */
export function defineConfig(config: HoldfastConfig): HoldfastConfig;
export function defineConfig<Given extends Exclude<HoldfastConfigGiven, HoldfastConfig>>(config: Given): Given;
export function defineConfig(config: HoldfastConfigGiven): HoldfastConfigGiven {
  return config;
}
