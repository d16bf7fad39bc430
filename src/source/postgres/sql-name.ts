/** A table by its schema and its own name. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** A name as SQL takes it. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL takes it, whatever `standard_conforming_strings` says. */
export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return quoted.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** `"schema"."table"` */
export function quoteTable({ schema, name }: TableName): string {
  return `${quoteName(schema)}.${quoteName(name)}`;
}

/** As people write it: `public.invoice`; a part that has a dot or a quote in quotes. */
export function plainName({ schema, name }: TableName): string {
  return [schema, name].map((part) => (/[."]/.test(part) ? quoteName(part) : part)).join('.');
}

/** A name as a part of an entry's path: reversible, and free of what ends a part or cannot be shown. */
export function pathPart(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is encoded
  const encoded = name.replace(/[%/\\\u0000-\u001f\u007f]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return /^\.\.?$/.test(encoded) ? encoded.replaceAll('.', '%2E') : encoded;
}
