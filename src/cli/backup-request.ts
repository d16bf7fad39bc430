import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { HoldfastConfig } from '../config/config-schema.ts';
import { HoldfastError } from '../errors.ts';
import type { BackupOptions } from '../operation/options.ts';
import { onPath } from '../storage/durable-file.ts';
import type { SourceRequest } from './collect-sources.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import type { SealKeyOptions } from './key-options.ts';
import { requestedSources, type SourceOptions } from './source-options.ts';
import { withoutUndefined } from './without-undefined.ts';

/** What the command line of `holdfast backup` says. */
export interface BackupCommandOptions extends OutputOptions, SealKeyOptions, SourceOptions {
  readonly output?: string;
  readonly compression?: NonNullable<BackupOptions['compression']>;
  readonly encryption?: NonNullable<BackupOptions['encryption']>;
  readonly copies?: number;
  readonly verify?: NonNullable<BackupOptions['verify']>;
  readonly threads?: number;
  readonly temporaryFolder?: string;
  readonly previous?: string;
  readonly identityFile?: readonly string[];
  /** Percent. */
  readonly allowedFall?: number;
  readonly dryRun?: boolean;
}

/** A backup to make: the command line, and what it leaves open from the configuration. */
export interface BackupRequest {
  readonly sources: readonly SourceRequest[];
  readonly output: string;
  readonly options: BackupCommandOptions;
}

/**
 * Completes the command line. With sources and an output on it no configuration is read, so that a command means the same in every
 * folder; without sources both come from the configuration. Throws `usage.invalid`, `config.not_found`, `config.invalid`.
 */
export async function completeRequest(options: BackupCommandOptions, context: CommandContext): Promise<BackupRequest> {
  const sources = requestedSources(options);
  const { output } = options;
  if (sources.length > 0 && output !== undefined) return { sources, output, options };
  if (sources.length > 0) {
    throw new HoldfastError('usage.invalid', {
      message: 'it is not said where the archive goes',
      hint: 'give --output shop.holdfast',
    });
  }
  return fromConfig(options, context);
}

async function fromConfig(options: BackupCommandOptions, context: CommandContext): Promise<BackupRequest> {
  const { loadConfig } = await import('../config/load-config.ts');
  const { archiveName, defaultFilenameTemplate } = await import('../config/archive-name.ts');
  const { config, file } = await loadConfig('.', context.environment);
  const sources = configuredSources(config);
  if (sources.length === 0) {
    throw new HoldfastError('source.empty', {
      message: `${file} names no databases and no files`,
      hint: 'add databases or files to it, or enable them',
    });
  }
  const { collectSources } = await import('./collect-sources.ts');
  const named = await collectSources(sources, '');
  const databases = named.slice(0, sources.filter((source) => !('path' in source)).length);
  const name = archiveName(config.filenameTemplate ?? defaultFilenameTemplate, {
    names: (databases.length > 0 ? databases : named).map((source) => source.name),
    createdMs: context.clock.nowMs(),
    environment: config.environment ?? (context.environment['NODE_ENV'] || 'default'),
  });
  const { compression, encryption, copies, recipients, allowedFallPercent: allowedFall } = config;
  const recipient = encryption === 'none' ? undefined : recipients;
  const settings = { compression, encryption, copies, recipient, allowedFall };
  return {
    sources,
    output: options.output ?? (await freePath(join(config.storage?.path ?? 'backups', name))),
    options: { ...(settings as BackupCommandOptions), ...options },
  };
}

/** The sources that a configuration names and does not disable: databases and commands first. */
function configuredSources(config: HoldfastConfig): SourceRequest[] {
  const isEnabled = ({ enabled }: { readonly enabled?: boolean | undefined }) => enabled !== false;
  const databases = (config.databases ?? []).filter(isEnabled).map(({ alias, enabled: _, ...settings }) => {
    return { name: alias, ...withoutUndefined(settings) };
  });
  const commands = (config.commands ?? []).filter(isEnabled).map(({ alias, enabled: _, ...settings }) => {
    return { name: alias, ...withoutUndefined(settings) };
  });
  const files = (config.files ?? []).map((item) =>
    typeof item === 'string' ? { path: item } : withoutUndefined(item),
  );
  return [...databases, ...commands, ...files];
}

/** Two runs within a second have one name: the later one must not replace the earlier. */
async function freePath(path: string): Promise<string> {
  let free = path;
  for (let number = 2; await exists(free); number++) free = path.replace(/\.holdfast$/, `-${number}.holdfast`);
  return free;
}

async function exists(path: string): Promise<boolean> {
  return onPath(path, async () => {
    try {
      await access(path);
      return true;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw cause;
    }
  });
}
