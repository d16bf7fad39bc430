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

/**
 * Names an archive. `{database}` is the name of what is backed up, or all names with `-` between; `{timestamp}` the start in UTC,
 * which sorts by time; `{env}` the environment. Throws `config.invalid` for another placeholder.
 */
export function archiveName(template: string, parts: ArchiveNameParts): string {
  const timestamp = new Date(parts.createdMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:]/g, '');
  const values: Readonly<Record<string, string>> = {
    database: asNamePart(parts.names.join('-')),
    timestamp,
    env: environmentInName(parts.environment),
  };
  const name = template.replace(/\{([^}]*)\}/g, (_, placeholder: string) => {
    const value = values[placeholder];
    if (value !== undefined) return value;
    throw new HoldfastError('config.invalid', {
      message: `filenameTemplate: there is no placeholder {${placeholder}}`,
      hint: 'use {database}, {timestamp} and {env}',
    });
  });
  return name.endsWith('.holdfast') ? name : `${name}.holdfast`;
}
