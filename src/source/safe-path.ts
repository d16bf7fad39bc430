import { isAbsolute, join } from 'node:path';
import { HoldfastError } from '../errors.ts';

/** The longest name of a file, in bytes, on the file systems in use. */
export const nameLimitBytes = 255;
/** The longest path below a root, in bytes: PATH_MAX of Linux. */
export const pathLimitBytes = 4096;

/** Names that stand for devices in every folder of Windows, whatever their extension. */
const windowsDevice = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?: *[.:]|$)/i;

function refuse(path: string, reason: string): never {
  throw new HoldfastError('target.unsafe', {
    message: `the entry ${JSON.stringify(path)} ${reason}`,
    context: { path },
  });
}

function checkSegment(path: string, segment: Buffer, platform: NodeJS.Platform): void {
  const text = segment.toString('latin1');
  if (text === '') refuse(path, 'is absolute or has an empty segment');
  if (text === '.' || text === '..') refuse(path, `has a segment ${JSON.stringify(text)}`);
  if (text.includes('\0')) refuse(path, 'has a NUL byte');
  if (segment.length > nameLimitBytes) refuse(path, `has a name of more than ${nameLimitBytes} bytes`);
  if (platform !== 'win32') return;
  if (text.includes('\\')) refuse(path, 'has a backslash, which separates folders on Windows');
  if (text.includes(':')) refuse(path, 'has a colon, which names a drive or a stream on Windows');
  if (/[. ]$/.test(text)) refuse(path, 'has a name that ends in a dot or a space, which Windows drops');
  if (windowsDevice.test(segment.toString('utf8').trimEnd())) refuse(path, 'has a name that is a device on Windows');
}

/**
 * The segments of an entry's path, as bytes, after checking that they lead nowhere but down.
 * `pathBytes` counts where it is given, and must read as `path` does. Throws `target.unsafe`.
 */
export function safeSegments(
  path: string,
  pathBytes?: Uint8Array,
  platform: NodeJS.Platform = process.platform,
): readonly Buffer[] {
  const bytes = pathBytes === undefined ? Buffer.from(path, 'utf8') : Buffer.from(pathBytes);
  if (pathBytes !== undefined && bytes.toString('utf8') !== path) refuse(path, 'has other bytes than its path shows');
  if (bytes.length > pathLimitBytes) refuse(path, `is longer than ${pathLimitBytes} bytes`);
  const segments: Buffer[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const slash = bytes.indexOf(0x2f, start);
    const end = slash < 0 ? bytes.length : slash;
    const segment = bytes.subarray(start, end);
    checkSegment(path, segment, platform);
    segments.push(segment);
    start = end + 1;
  }
  return segments;
}

/**
 * The place of an entry below `root`, as bytes, so that names in any encoding come back as they were.
 * It looks at names only: links on the disk are the caller's to check. Throws `target.unsafe`.
 *
 * @example resolveInside('/srv/app', 'uploads/a.png').toString() // '/srv/app/uploads/a.png'
 */
export function resolveInside(
  root: string,
  path: string,
  pathBytes?: Uint8Array,
  platform: NodeJS.Platform = process.platform,
): Buffer {
  let resolved: Buffer = Buffer.from(isAbsolute(root) ? root : join(process.cwd(), root));
  for (const segment of safeSegments(path, pathBytes, platform)) resolved = joinBytes(resolved, segment);
  return resolved;
}

/** Joins a folder and one name, as bytes. */
export function joinBytes(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat(folder.at(-1) === 0x2f ? [folder, name] : [folder, Buffer.from('/'), name]);
}
