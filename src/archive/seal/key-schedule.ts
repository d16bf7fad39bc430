import { hkdfSync } from 'node:crypto';

/** The keys that are derived from an archive's data key: `docs/format.md` sections 5 and 6. */
export interface ArchiveKeys {
  readonly header: Uint8Array;
  readonly segment: Uint8Array;
}

export const dataKeySizeBytes = 32;

export function deriveKeys(dataKey: Uint8Array, archiveId: Uint8Array): ArchiveKeys {
  const derive = (purpose: string) =>
    new Uint8Array(hkdfSync('sha256', dataKey, archiveId, `holdfast/1 ${purpose}`, dataKeySizeBytes));
  return { header: derive('header'), segment: derive('segment') };
}
