import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { HoldfastError } from '../errors.ts';
import type { HoldfastConfig } from './config-schema.ts';
import { importWithHoldfast } from './import-with-holdfast.ts';

/** Names that a configuration file may have; a folder has one of them. */
export const configFileNames: readonly string[] = ['holdfast.config.ts', 'holdfast.config.js', 'holdfast.config.json'];

/** A configuration and where it was found. */
export interface LoadedConfig {
  readonly config: HoldfastConfig;
  /** Path of the file; relative paths in it start from its folder. */
  readonly file: string;
}

/** The configuration file of a folder; undefined where it has none. Throws `config.invalid` where it has several: nobody could tell which one is meant. */
export async function findConfigFile(folder: string): Promise<string | undefined> {
  const found: string[] = [];
  for (const name of configFileNames) {
    const file = join(folder, name);
    try {
      await access(file);
      found.push(file);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw unreadable(file, cause);
    }
  }
  if (found.length > 1) {
    throw new HoldfastError('config.invalid', {
      message: `there are ${found.length} configurations here: ${found.join(', ')}`,
      hint: 'keep the one that is meant, and remove or rename what else is there',
      context: { files: found },
    });
  }
  return found[0];
}

/** A configuration file as it stands, before anything of it is checked. */
export interface FoundConfig {
  readonly file: string;
  /** What it exports; where that is a function, what that gives. */
  readonly value: unknown;
  /** What `${NAME}` may stand for: the variables of the process, and where these have none, those of `.env` beside the file. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** $NODE_ENV, or `default`. */
  readonly environment: string;
}

/** Reads the configuration file of a folder. Throws `config.not_found`, and `config.invalid` for a file that cannot be read or run. */
export async function readConfigFile(
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<FoundConfig> {
  const file = await findConfigFile(folder);
  if (file === undefined) {
    throw new HoldfastError('config.not_found', { message: `there is no ${configFileNames[0]} here` });
  }
  const variables = { ...(await readVariables(folder)), ...environment };
  const name = variables['NODE_ENV'] || 'default';
  return { file, value: await readValue(file, name), variables, environment: name };
}

/** The variables of `.env`; none where there is no such file. */
async function readVariables(folder: string): Promise<Record<string, string | undefined>> {
  const file = join(folder, '.env');
  try {
    return parseEnv(await readFile(file, 'utf8'));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new HoldfastError('config.invalid', {
      message: `${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'check its permissions; it holds lines such as NAME=value',
      context: { file },
      cause,
    });
  }
}

/**
 * Loads the configuration of a folder, with its environment filled in. Throws `config.not_found`, and `config.invalid` for a file that cannot be read or run, and for
 * settings that are not valid.
 */
export async function loadConfig(
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<LoadedConfig> {
  const found = await readConfigFile(folder, environment);
  const { file, value, variables } = found;
  const { parseConfig } = await import('./parse-config.ts');
  const config = parseConfig(value, variables, file);
  return { config: { ...config, environment: config.environment ?? found.environment }, file };
}

async function readValue(file: string, environment: string): Promise<unknown> {
  try {
    if (file.endsWith('.json')) return JSON.parse(await readFile(file, 'utf8'));
    const { default: value } = (await importWithHoldfast(file)) as { default?: unknown };
    return typeof value === 'function' ? await (value as (environment: string) => unknown)(environment) : value;
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function unreadable(file: string, cause: unknown): HoldfastError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError('config.invalid', {
    message: `${file} cannot be read: ${reason}`,
    hint: 'it must export a configuration: `export default defineConfig({ … })`',
    context: { file },
    cause,
  });
}
