/** How an object is made of ranges of others: parts of an upload that the server copies. */
import { equalPartBytes, mostParts } from './part-sizes.ts';

/** Up to here one request copies all: more could take longer than a connection lives. */
export const wholeCopyBytes = 256 * 2 ** 20;
const granuleBytes = 64 * 1024;

/** An object as it was when it had this tag: `sizeBytes` from its start are meant. */
export interface CopySource {
  readonly key: string;
  readonly etag: string;
  readonly sizeBytes: number;
}

/** A range of a source. */
export interface SourceRange {
  readonly source: CopySource;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A part of the object that is made. More than one range can only be joined by reading them. */
export interface PlannedPart {
  readonly number: number;
  readonly sizeBytes: number;
  readonly ranges: readonly SourceRange[];
}

/** What is copied: the sources, one after the other, so many times in a row. */
export interface CopiedRun {
  readonly sources: readonly CopySource[];
  readonly repeats: number;
}

/**
 * Parts of one range each, none short, where parts may differ. A source has 5 MiB at least, unless it is the only one and not repeated.
 */
export function planUnequalParts({ sources, repeats }: CopiedRun): PlannedPart[] {
  const totalBytes = totalOf(sources) * repeats;
  // Each source may need one part more than its share.
  const share = totalBytes / (mostParts - sources.length * repeats);
  const partBytes = Math.max(wholeCopyBytes, roundUp(share, granuleBytes));
  const parts: PlannedPart[] = [];
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const source of sources) {
      const count = Math.ceil(source.sizeBytes / partBytes);
      // Alike, so that none is short.
      const each = roundUp(source.sizeBytes / count, granuleBytes);
      for (let offset = 0; offset < source.sizeBytes; offset += each) {
        const sizeBytes = Math.min(each, source.sizeBytes - offset);
        parts.push({ number: parts.length + 1, sizeBytes, ranges: [{ source, offset, sizeBytes }] });
      }
    }
  }
  return parts;
}

/** Parts that are alike, but for the last, as R2 wants them. Where one source ends and the next begins a part has several ranges. */
export function planEqualParts(run: CopiedRun, partsAtMost = mostParts): PlannedPart[] {
  const totalBytes = totalOf(run.sources) * run.repeats;
  const partBytes = Math.max(equalPartBytes, roundUp(totalBytes / partsAtMost, equalPartBytes));
  const parts: PlannedPart[] = [];
  for (let start = 0; start < totalBytes; start += partBytes) {
    const sizeBytes = Math.min(partBytes, totalBytes - start);
    parts.push({ number: parts.length + 1, sizeBytes, ranges: rangesOf(run.sources, start, sizeBytes) });
  }
  return parts;
}

/** Where bytes of the repeated run lie. */
function rangesOf(sources: readonly CopySource[], start: number, sizeBytes: number): SourceRange[] {
  const ranges: SourceRange[] = [];
  let offset = start % totalOf(sources);
  for (let left = sizeBytes; left > 0; offset = 0) {
    for (const source of sources) {
      const length = Math.min(left, source.sizeBytes - offset);
      if (length > 0) ranges.push({ source, offset, sizeBytes: length });
      left -= Math.max(0, length);
      offset = Math.max(0, offset - source.sizeBytes);
    }
  }
  return ranges;
}

export function totalOf(sources: readonly CopySource[]): number {
  return sources.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function roundUp(sizeBytes: number, granule: number): number {
  return Math.ceil(sizeBytes / granule) * granule;
}
