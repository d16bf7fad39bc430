/** What servers ask of the parts of an upload, checked on the requests as they pass a proxy. */
import { type FaultyProxy, type ProxiedRequest, startHttpProxy } from '../services/faulty-proxy.ts';

const leastPartBytes = 5 * 2 ** 20;

/** A part as it was sent. */
export interface SentPart {
  readonly number: number;
  readonly sizeBytes: number;
}

/** A proxy that refuses to complete uploads which break a rule. */
export interface RulesProxy extends FaultyProxy {
  /** Parts of the uploads that were completed, each in the order of their numbers. */
  readonly completed: readonly (readonly SentPart[])[];
}

function error(code: string): { how: 'answer'; status: number; body: string } {
  return { how: 'answer', status: 400, body: `<?xml version="1.0"?><Error><Code>${code}</Code></Error>` };
}

/** The size of the range that a part is copied from, or of the bytes that are sent. */
function partBytes({ headers }: ProxiedRequest): number {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(String(headers['x-amz-copy-source-range'] ?? '')) ?? [];
  return first === undefined ? Number(headers['content-length']) : Number(last) - Number(first) + 1;
}

/** Every part but the last has 5 MiB at least; with `equalParts` they have the same size too, and the last no more. */
export async function startRulesProxy(
  targetPort: number,
  rules: { readonly equalParts: boolean },
): Promise<RulesProxy> {
  const uploads = new Map<string, Map<number, number>>();
  const completed: SentPart[][] = [];
  const proxy = await startHttpProxy(targetPort, (request) => {
    const query = new URL(request.path, 'http://localhost').searchParams;
    const uploadId = query.get('uploadId');
    if (uploadId === null) return undefined;
    const parts = uploads.get(uploadId) ?? new Map<number, number>();
    uploads.set(uploadId, parts);
    const number = query.get('partNumber');
    if (request.method === 'PUT' && number !== null) parts.set(Number(number), partBytes(request));
    if (request.method !== 'POST') return undefined;
    const sent = [...parts].sort(([one], [other]) => one - other);
    const sizes = sent.map(([, sizeBytes]) => sizeBytes);
    const middle = sizes.slice(0, -1);
    const last = sizes.at(-1) ?? 0;
    if (middle.some((sizeBytes) => sizeBytes < leastPartBytes)) return error('EntityTooSmall');
    if (rules.equalParts && middle.some((sizeBytes) => sizeBytes !== middle[0] || sizeBytes < last)) {
      return error('InvalidPart');
    }
    completed.push(sent.map(([each, sizeBytes]) => ({ number: each, sizeBytes })));
    return undefined;
  });
  return Object.assign(proxy, { completed });
}
