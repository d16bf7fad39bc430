import { contentDisposition } from '../security/content-disposition.ts';
import type { Download } from '../services/web-services.ts';

/** The part that a header asks for: one range, as downloads that go on send it (RFC 9110 section 14). Undefined: all of it. */
export function readRange(header: string | undefined): { startBytes: number; endBytes?: number } | undefined {
  const [, start, end] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (start === undefined) return undefined;
  return { startBytes: Number(start), ...(end ? { endBytes: Number(end) } : {}) };
}

/** The answer that has a browser save it. */
export function sendDownload({ name, sizeBytes, range, body }: Download): Response {
  const headers = new Headers({
    'content-type': 'application/octet-stream',
    'content-disposition': contentDisposition(name),
  });
  if (sizeBytes === undefined) return new Response(body, { headers });
  headers.set('accept-ranges', 'bytes');
  headers.set('content-length', String(range === undefined ? sizeBytes : range.endBytes - range.startBytes + 1));
  if (range === undefined) return new Response(body, { headers });
  headers.set('content-range', `bytes ${range.startBytes}-${range.endBytes}/${sizeBytes}`);
  return new Response(body, { status: 206, headers });
}
