/** How large the parts of a multipart upload are. */

/** Amazon's limits, which the others share or are more generous with. */
export const mostParts = 10_000;
export const leastPartBytes = 5 * 2 ** 20;
export const mostObjectBytes = 5 * 2 ** 40;
const mostPartBytes = 5 * 2 ** 30;

const firstPartBytes = 5 * 2 ** 20;
const granuleBytes = 64 * 1024;
/** The last part of a full lane is e^6.55 times the first, 3.4 GiB; their sum is 107 times what equal ones would give: 5 TiB and a bit. */
const growth = 6.55;
/** A good size where all have to be alike. */
const leastEqualPartBytes = 16 * 2 ** 20;

/** How many parts each of some lanes has: the first lane from part 1, of two lanes the second from part 5,001. */
export function partsInLane(lanes: number): number {
  return Math.floor(mostParts / lanes);
}

/** Up to this part of a lane what is expected fits, in parts that are alike. */
const evenShare = 0.8;
/** An archive is a little larger than what goes into it, when that does not compress. */
const reserve = 1.12;

/**
 * The size of part `index` (from 0) of a lane. Where a size of the lane is expected, parts are alike and just large enough for it, and grow
 * steeply should it be more after all. Where nothing is, they begin small and grow as the object does, so that 5 TiB can be reached.
 */
export function growingPartBytes(index: number, lanes: number, expectedBytes?: number): number {
  const count = partsInLane(lanes);
  if (expectedBytes === undefined) return roundUp(firstPartBytes * Math.exp((growth * index) / count));
  const even = Math.max(firstPartBytes, (expectedBytes * reserve) / (count * evenShare));
  const evenCount = count * evenShare;
  if (index < evenCount || even >= mostPartBytes) return Math.min(mostPartBytes, roundUp(even));
  const steep = (mostPartBytes / even) ** ((index - evenCount) / (count - evenCount));
  return Math.min(mostPartBytes, roundUp(even * steep));
}

/**
 * The size of every part where all have to be alike: chosen ahead for an object of about `expectedBytes`, with room for twice as much;
 * 160 GB where nothing is expected.
 */
export function equalPartBytes(expectedBytes: number | undefined): number {
  const needed = Math.min(mostObjectBytes, 2 * (expectedBytes ?? 0)) / mostParts;
  return Math.min(mostPartBytes, roundUp(Math.max(leastEqualPartBytes, needed)));
}

function roundUp(sizeBytes: number): number {
  return Math.ceil(sizeBytes / granuleBytes) * granuleBytes;
}
