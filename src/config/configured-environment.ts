import type { HoldfastConfig } from './config-schema.ts';

/** What `{env}` stands for in names: that of the configuration, else $NODE_ENV, else `default`. */
export function configuredEnvironment(
  config: HoldfastConfig,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  return config.environment ?? (environment['NODE_ENV'] || 'default');
}
