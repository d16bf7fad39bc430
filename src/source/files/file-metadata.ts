import { isUtf8 } from 'node:buffer';
import type { EntryMetadata, JsonValue } from '../source.ts';
import type { FileState } from './read-small-files.ts';

/** Mode, time and owner, as `docs/format.md` section 6 names them. */
export function fileMetadata(stats: FileState): { readonly [key: string]: JsonValue } {
  return {
    mode: Number(stats.mode & 0o7777n),
    mtimeNs: String(stats.mtimeNs),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
  };
}

/** A path as an entry carries it: text, and its bytes where the text does not tell them. */
export function entryPath(bytes: Buffer): { readonly path: string; readonly pathBytes?: Uint8Array } {
  return isUtf8(bytes) ? { path: bytes.toString('utf8') } : { path: bytes.toString('utf8'), pathBytes: bytes };
}

/** The text of a symlink, as an entry carries it. */
export function symlinkMetadata(target: Buffer): EntryMetadata {
  const text = target.toString('utf8');
  return isUtf8(target) ? { target: text } : { target: text, targetBytes: target.toString('base64') };
}

/** Mode, time and owner on their way back; what an archive lacks or has in another form is left out. */
export interface RestoredMetadata {
  readonly mode?: number;
  readonly mtimeSeconds?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

function wholeNumber(value: JsonValue | undefined, limit: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= limit ? value : undefined;
}

/** Reads what {@link fileMetadata} wrote. Times come back to about a quarter of a microsecond: what Node can set. */
export function restoredMetadata(metadata: EntryMetadata): RestoredMetadata {
  const mode = wholeNumber(metadata['mode'], 0o7777);
  const uid = wholeNumber(metadata['uid'], 0xffff_fffe);
  const gid = wholeNumber(metadata['gid'], 0xffff_fffe);
  const time = metadata['mtimeNs'];
  const mtimeNs = typeof time === 'string' && /^-?\d{1,20}$/.test(time) ? BigInt(time) : undefined;
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(mtimeNs === undefined ? {} : { mtimeSeconds: secondsFrom(mtimeNs) }),
    ...(uid === undefined || gid === undefined ? {} : { owner: { uid, gid } }),
  };
}

/** Through decimal text, so that it is rounded once: a division would be off by a step now and then. */
function secondsFrom(nanoseconds: bigint): number {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const seconds = Number(`${size / 1_000_000_000n}.${String(size % 1_000_000_000n).padStart(9, '0')}`);
  return nanoseconds < 0n ? -seconds : seconds;
}

/** The text of a symlink as bytes, or undefined when there is none that a symlink could have. */
export function symlinkTarget(metadata: EntryMetadata): Buffer | undefined {
  const { target, targetBytes } = metadata as { readonly target?: unknown; readonly targetBytes?: unknown };
  const bytes =
    typeof targetBytes === 'string'
      ? Buffer.from(targetBytes, 'base64')
      : typeof target === 'string'
        ? Buffer.from(target, 'utf8')
        : undefined;
  return bytes === undefined || bytes.length === 0 || bytes.includes(0) ? undefined : bytes;
}
