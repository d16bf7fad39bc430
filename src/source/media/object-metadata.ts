/** What an archive keeps of an object beside its bytes, as `docs/format.md` section 6 names it. */
import type { ObjectDetails, ObjectHeaders } from '../../storage/storage.ts';
import type { EntryMetadata, JsonValue } from '../source.ts';

const headerNames = [
  'contentType',
  'cacheControl',
  'contentDisposition',
  'contentEncoding',
  'contentLanguage',
] as const satisfies readonly (keyof ObjectHeaders)[];

/** Time, headers and version of an object. */
export function objectMetadata({ modifiedMs, etag, headers }: ObjectDetails): { readonly [key: string]: JsonValue } {
  const { metadata = {}, ...own } = headers;
  return {
    mtimeNs: String(BigInt(Math.floor(modifiedMs)) * 1_000_000n),
    ...own,
    ...(Object.keys(metadata).length > 0 ? { objectMetadata: { ...metadata } } : {}),
    ...(etag === undefined ? {} : { etag }),
  };
}

/** Headers on their way back; what an archive lacks, or has in another form, is left out. */
export function restoredHeaders(metadata: EntryMetadata): ObjectHeaders {
  const headers = headerNames.flatMap((name) => {
    const value = metadata[name];
    return isHeaderText(value) ? [[name, value] as const] : [];
  });
  const noted = metadata['objectMetadata'];
  const isRecord = typeof noted === 'object' && noted !== null && !Array.isArray(noted);
  const notes = Object.entries(isRecord ? noted : {}).filter(
    (pair): pair is [string, string] => /^[a-z0-9_-]+$/i.test(pair[0]) && isHeaderText(pair[1]),
  );
  return { ...Object.fromEntries(headers), ...(notes.length > 0 ? { metadata: Object.fromEntries(notes) } : {}) };
}

/** A text that can stand in a header: an archive may be hostile. */
function isHeaderText(value: JsonValue | undefined): value is string {
  return (
    typeof value === 'string' &&
    value.length <= 4096 &&
    [...value].every((character) => character >= ' ' && character !== '\x7f')
  );
}
