import type { Stats } from 'node:fs';
import { type FileHandle, lchown, lutimes, open } from 'node:fs/promises';
import { syncFolder } from '../../disk/sync-folder.ts';
import type { RestoredMetadata } from './file-metadata.ts';

/** Only root gives files away, so only root may restore set-user-id and set-group-id as they were meant. */
function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** What is set of a file or folder by this user: an owner and special bits of the mode by root alone. */
export interface AppliedMetadata {
  readonly mode: number;
  readonly mtimeSeconds?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** What is set; a mode that is not known is the default one, as of any new file. */
export function appliedMetadata(metadata: RestoredMetadata, defaultMode: number): AppliedMetadata {
  const { mode, mtimeSeconds, owner } = metadata;
  return {
    mode: mode === undefined ? defaultMode & ~process.umask() : mode & (isRoot() ? 0o7777 : 0o1777),
    ...(mtimeSeconds === undefined ? {} : { mtimeSeconds }),
    ...(isRoot() && owner !== undefined ? { owner } : {}),
  };
}

/** The mode of a file that comes back without one. */
export const defaultFileMode = 0o666;

/** Gives an open file or folder its owner, mode and time, in this order: a new owner clears bits of the mode. */
export async function applyMetadata(
  handle: FileHandle,
  metadata: RestoredMetadata,
  defaultMode: number,
): Promise<void> {
  const { mode, mtimeSeconds, owner } = appliedMetadata(metadata, defaultMode);
  if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
  await handle.chmod(mode);
  if (mtimeSeconds !== undefined) await handle.utimes(mtimeSeconds, mtimeSeconds);
}

/** Gives a link its owner and time; it has no mode. */
export async function applyLinkMetadata(path: Buffer, metadata: RestoredMetadata): Promise<void> {
  if (isRoot() && metadata.owner !== undefined) await lchown(path, metadata.owner.uid, metadata.owner.gid);
  if (metadata.mtimeSeconds !== undefined) await lutimes(path, metadata.mtimeSeconds, metadata.mtimeSeconds);
}

/** Gives a folder its owner, mode and time, and makes its names durable. `extraMode` is added for as long as it has to be moved. */
export async function finishFolder(path: Buffer, metadata: RestoredMetadata, extraMode = 0): Promise<void> {
  if (process.platform === 'win32') return syncFolder(path);
  const handle = await open(path, 'r');
  try {
    const mode = metadata.mode === undefined ? undefined : metadata.mode | extraMode;
    await applyMetadata(handle, mode === undefined ? metadata : { ...metadata, mode }, 0o777);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The metadata of something that is there, to give it back. */
export function metadataOf(stats: Stats): RestoredMetadata {
  return { mode: stats.mode & 0o7777, mtimeSeconds: stats.mtimeMs / 1000, owner: { uid: stats.uid, gid: stats.gid } };
}
