import { HoldfastError } from '../../errors.ts';

/** What a server tells of one file or folder. */
export interface DavResource {
  /** Path of its URL, percent-encoded as the server has it. */
  readonly href: string;
  readonly isFolder: boolean;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Without the mark of a weak one; empty where the server has none. */
  readonly etag: string;
}

/** The properties that are asked for. */
export const propertyRequest =
  '<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>';

/** Longer ones are no answer to what is asked here. */
const maximumTextLength = 64 * 1024;

/**
 * Reads the answer to PROPFIND (RFC 4918, 14.16) as it comes. Memory: one resource, and those that are not taken yet. Throws
 * `storage.failed` for what is not such an answer.
 */
export async function* parseMultiStatus(body: AsyncIterable<Uint8Array>, place: string): AsyncGenerator<DavResource> {
  const { SaxesParser } = await import('saxes');
  const found: DavResource[] = [];
  const parser = new SaxesParser({ xmlns: true });
  let fields: Map<string, string> | undefined;
  let text = '';
  let isMultiStatus = false;
  parser.on('opentag', (tag) => {
    text = '';
    if (tag.uri !== 'DAV:') return;
    if (tag.local === 'multistatus') isMultiStatus = true;
    if (tag.local === 'response') fields = new Map();
    if (tag.local === 'collection') fields?.set('collection', '');
  });
  parser.on('text', (part) => {
    text = (text + part).slice(0, maximumTextLength);
  });
  parser.on('cdata', (part) => {
    text = (text + part).slice(0, maximumTextLength);
  });
  parser.on('closetag', (tag) => {
    if (tag.uri !== 'DAV:' || fields === undefined) return;
    // A property that the server does not have comes empty, in a part of its own.
    if (text.trim() !== '' && !fields.has(tag.local)) fields.set(tag.local, text.trim());
    text = '';
    if (tag.local !== 'response') return;
    found.push(resourceOf(fields, place));
    fields = undefined;
  });
  try {
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      parser.write(decoder.decode(chunk, { stream: true }));
      yield* found.splice(0);
    }
    parser.close();
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw notMultiStatus(place, error);
  }
  if (!isMultiStatus) throw notMultiStatus(place, undefined);
  yield* found.splice(0);
}

function notMultiStatus(place: string, cause: unknown): HoldfastError {
  const message = `${place}: the answer to PROPFIND is not one of a WebDAV server`;
  return new HoldfastError('storage.failed', { message, hint: 'check `url`: it has to be the WebDAV address', cause });
}

function resourceOf(fields: ReadonlyMap<string, string>, place: string): DavResource {
  const size = fields.get('getcontentlength') ?? '0';
  if (!/^\d{1,15}$/.test(size)) throw notMultiStatus(place, new Error(`a file has a size of ${JSON.stringify(size)}`));
  const modifiedMs = Date.parse(fields.get('getlastmodified') ?? '');
  return {
    href: (fields.get('href') ?? '').replace(/^[a-z]+:\/\/[^/]*/i, ''),
    isFolder: fields.has('collection'),
    sizeBytes: Number(size),
    modifiedMs: Number.isNaN(modifiedMs) ? 0 : modifiedMs,
    etag: strongEtag(fields.get('getetag')),
  };
}

/** Servers weaken the tag of a file that changed a moment ago: it is the same one afterwards. */
export function strongEtag(etag: string | undefined): string {
  return (etag ?? '').replace(/^W\//, '');
}
