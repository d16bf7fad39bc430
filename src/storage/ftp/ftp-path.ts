/** Object names as paths on an FTP server. */

/**
 * What a name may hold that a path may not: a line break would end the command; servers take `*?[]{}` for patterns, trim spaces in
 * listings, and those on Windows refuse `"<>|:\`.
 */
const unsafe = /[\p{Cc}%*?[\]{}"<>|:\\]|^ | $/gu;

/** One part of a name, as the server has it: what is unsafe is `%` and two hex digits. */
export function encodePart(part: string): string {
  return part.replace(unsafe, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** A name below a root, which begins with `/`. */
export function encodePath(root: string, name: string): string {
  return `${root === '/' ? '' : root}/${name.split('/').map(encodePart).join('/')}`;
}

/** The name of a file that is listed; undefined for one that no object has: another program put it there. */
export function decodePart(part: string): string | undefined {
  const decoded = part.replace(/%([0-9A-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return encodePart(decoded) === part ? decoded : undefined;
}

/** The folder of a path. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}
