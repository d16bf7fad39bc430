import { HoldfastError } from '../errors.ts';

/** The template that names archives unless another is set. */
export const defaultFilenameTemplate = '{database}_{timestamp}_{env}';

/** What a template is filled with. */
export interface ArchiveNameParts {
  /** Names of what is backed up. */
  readonly names: readonly string[];
  readonly createdMs: number;
  readonly environment: string;
}

/** Longest text of one placeholder: with the others and an extension it stays below the 255 bytes of file systems. */
const partLength = 60;

/** A text as a part of a file name, on any file system. */
function asNamePart(text: string): string {
  return text.replace(/[^A-Za-z0-9.-]+/g, '-').slice(0, partLength) || 'backup';
}

/** What `{env}` becomes in a name. */
export function environmentInName(environment: string): string {
  return asNamePart(environment);
}

/** What may stand between braces in a template. */
export const placeholders = ['database', 'timestamp', 'env'] as const;

/** The placeholders of a template that there are not. */
export function unknownPlaceholders(template: string): string[] {
  const found = [...template.matchAll(/\{([^}]*)\}/g)].map(([, name = '']) => name);
  return found.filter((name) => !(placeholders as readonly string[]).includes(name));
}

/** A moment in UTC as names have it, which sorts by time: `20250115_020000`. */
function timestampOf(timeMs: number): string {
  const digits = new Date(timeMs).toISOString().replace(/\D/g, '');
  return `${digits.slice(0, 8)}_${digits.slice(8, 14)}`;
}

/**
 * Names an archive, or a plain dump where an extension is given. `{database}` is the name of what is backed up, or all names with `-`
 * between; `{timestamp}` the start in UTC; `{env}` the environment. Throws `config.invalid` for another placeholder.
 */
export function archiveName(template: string, parts: ArchiveNameParts, extension = '.holdfast'): string {
  const [unknown] = unknownPlaceholders(template);
  if (unknown !== undefined) {
    throw new HoldfastError('config.invalid', {
      message: `filenameTemplate: there is no placeholder {${unknown}}`,
      hint: 'use {database}, {timestamp} and {env}',
    });
  }
  const values: Readonly<Record<string, string>> = {
    database: asNamePart(parts.names.join('-')),
    timestamp: timestampOf(parts.createdMs),
    env: environmentInName(parts.environment),
  };
  const name = template.replace(/\{([^}]*)\}/g, (_, placeholder: string) => values[placeholder] ?? '');
  return `${name.replace(/\.holdfast$/, '')}${extension}`;
}
