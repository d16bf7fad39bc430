/** The digits of `\\x00ff`, how bytes stand in an archive; undefined for what is no such text. */
export function hexDigits(text: string): string | undefined {
  const digits = text.slice(2);
  // A repeated group over many megabytes would be too deep for the engine of regular expressions.
  return text.startsWith('\\x') && digits.length % 2 === 0 && !/[^0-9a-f]/i.test(digits) ? digits : undefined;
}
