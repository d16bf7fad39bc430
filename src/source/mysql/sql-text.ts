/** A name as SQL takes it, whatever it holds. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** A table of a database. */
export function qualifiedName(database: string, name: string): string {
  return `${quoteName(database)}.${quoteName(name)}`;
}

/** A text as SQL takes it in every SQL mode but NO_BACKSLASH_ESCAPES, which connections of Holdfast never have. */
export function quoteText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0')}'`;
}

/** A name as a part of an entry's path: reversible, and free of what ends a part or cannot be shown. */
export function pathPart(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is encoded
  const encoded = name.replace(/[%/\\\u0000-\u001f\u007f]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return /^\.\.?$/.test(encoded) ? encoded.replaceAll('.', '%2E') : encoded;
}
