import { createHash } from 'node:crypto';
import type { FakeAnswer } from '../network/http-fake.ts';

/** A file of the fake. */
export interface FakeFile {
  readonly path: string;
  readonly id: string;
  readonly data: Buffer;
  readonly hash: string;
  readonly rev: string;
  readonly modified: string;
}

/** A folder of the fake. */
export interface FakeFolder {
  readonly path: string;
  readonly id: string;
}

/** The "content hash" of Dropbox's documentation, in the plainest way. */
export function contentHash(data: Buffer): string {
  const blocks: Buffer[] = [];
  for (let offset = 0; offset < data.length; offset += 4 << 20) {
    blocks.push(
      createHash('sha256')
        .update(data.subarray(offset, offset + (4 << 20)))
        .digest(),
    );
  }
  return createHash('sha256').update(Buffer.concat(blocks)).digest('hex');
}

/** As `files/get_metadata` gives it. */
export function metadataOf(entry: FakeFile | FakeFolder): Record<string, unknown> {
  const { path, id } = entry;
  const common = { name: path.split('/').at(-1), id, path_lower: path.toLowerCase(), path_display: path };
  if (!('data' in entry)) return { '.tag': 'folder', ...common };
  const { data, hash, rev, modified } = entry;
  const times = { client_modified: modified, server_modified: modified };
  return { '.tag': 'file', ...common, ...times, rev, size: data.length, is_downloadable: true, content_hash: hash };
}

/** An error with its summary, which ends in dots. */
export function failure(status: number, summary: string, error: object): FakeAnswer {
  return { status, body: { error_summary: `${summary}/..`, error } };
}

/** What was asked for is not there, or is of another kind. */
export function lookupFailure(where: string, reason: string): FakeAnswer {
  return failure(409, `${where}/${reason}`, { '.tag': where, [where]: { '.tag': reason } });
}

/** A file that cannot be written. An upload in one go wraps its reason. */
export function pathFailure(reason: string, kind: string | undefined, isSession: boolean): FakeAnswer {
  const detail = { '.tag': reason, ...(kind === undefined ? {} : { [reason]: { '.tag': kind } }) };
  const summary = kind === undefined ? `path/${reason}` : `path/${reason}/${kind}`;
  return failure(409, summary, { '.tag': 'path', ...(isSession ? { path: detail } : { reason: detail }) });
}

/** The root is the empty text; no part is empty, ends with a blank, or has a backslash or a control character. */
export function isValidPath(path: string): boolean {
  if (path === '' || /^(rev|id):/.test(path)) return true;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is meant
  return /^(\/[^/\\\x00-\x1f\x7f]*[^/\\\x00-\x1f\x7f ])+$/.test(path);
}
