/** How large the parts of a multipart upload are. A part is held in memory until it has arrived. */

/** Amazon's limits, which the others share or are more generous with. */
export const mostParts = 10_000;
export const leastPartBytes = 5 * 2 ** 20;
export const mostObjectBytes = 5 * 2 ** 40;
const mostPartBytes = 5 * 2 ** 30;

/** Parts of what is uploaded piece by piece, and the largest of lanes. It bounds the memory, whatever the size of the object. */
export const heldPartBytes = 8 * 2 ** 20;
/** The same where all parts have to be alike. */
export const equalPartBytes = 16 * 2 ** 20;
const granuleBytes = 64 * 1024;

/** How many parts each of some lanes has: the first lane from part 1, of two lanes the second from part 5,001. */
export function partsInLane(lanes: number): number {
  return Math.floor(mostParts / lanes);
}

/** Up to this part of a lane what is expected fits, in parts that are alike. */
const evenShare = 0.8;
/** An archive is a little larger than what goes into it, when that does not compress. */
const reserve = 1.12;

/**
 * Whether lanes of about `expectedBytes` each fit in one upload, in parts that may be held in memory. Two lanes do up to 30 GB; what is not known
 * never does.
 */
export function fitsInLanes(expectedBytes: number | undefined, lanes: number): expectedBytes is number {
  return expectedBytes !== undefined && expectedBytes * reserve <= partsInLane(lanes) * evenShare * heldPartBytes;
}

/** The same of one lane in parts that are alike: up to 134 GB. */
export function fitsInEqualParts(expectedBytes: number | undefined): boolean {
  return expectedBytes !== undefined && expectedBytes <= mostParts * evenShare * equalPartBytes;
}

/**
 * The size of part `index` (from 0) of a lane that is expected to have so many bytes: parts are alike and just large enough, and grow steeply
 * should it be more after all, so that 5 TiB can be reached.
 */
export function lanePartBytes(index: number, lanes: number, expectedBytes: number): number {
  const count = partsInLane(lanes);
  const evenCount = count * evenShare;
  const even = Math.max(leastPartBytes, (expectedBytes * reserve) / evenCount);
  if (index < evenCount) return roundUp(even);
  const steep = (mostPartBytes / even) ** ((index - evenCount) / (count - evenCount));
  return Math.min(mostPartBytes, roundUp(even * steep));
}

function roundUp(sizeBytes: number): number {
  return Math.ceil(sizeBytes / granuleBytes) * granuleBytes;
}
