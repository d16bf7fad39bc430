import mime from 'mime';

/** The type of a file's content by its extension; `application/octet-stream` where that tells none. */
export function contentTypeByName(name: string): string {
  return mime.getType(name) ?? 'application/octet-stream';
}
