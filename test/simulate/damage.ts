/** Damage to archives at rest, and what of it the guarantee says must heal: a model of a few lines, apart from the code that heals. */
import { blockSizeBytes, Layout } from '../../src/archive/heal/geometry.ts';
import { SeededRandom } from '../../src/testing/seeded-random.ts';
import type { DamageKind } from './plan.ts';

/** Damages bytes; those given stay as they are. */
export function damaged(
  original: Uint8Array,
  { damage, share, salt }: { readonly damage: DamageKind; readonly share: number; readonly salt: number },
): Uint8Array {
  const random = new SeededRandom(salt);
  const bytes = original.slice();
  const length = bytes.length;
  if (length === 0) return bytes;
  const some = Math.max(1, Math.floor(length * share * 0.6));
  const at = random.integer(length);
  const sectors = Math.floor(length / blockSizeBytes);
  switch (damage) {
    case 'bits':
      for (let count = 1 + random.integer(1 + Math.floor(share * 40)); count > 0; count--) flip(bytes, random);
      return bytes;
    case 'sectors':
      for (let count = 1 + Math.floor(sectors * share * 0.5); count > 0; count--) {
        random.fill(bytes.subarray(random.integer(sectors) * blockSizeBytes).subarray(0, blockSizeBytes));
      }
      return bytes;
    case 'burst':
      bytes.fill(0, at, at + some);
      return bytes;
    case 'same-place':
      for (const start of [0, length >> 1]) bytes.fill(0xff, start + (at >> 1), start + (at >> 1) + (some >> 2));
      return bytes;
    case 'cut-tail':
      return bytes.slice(0, length - some);
    case 'inserted':
      return joined(bytes.subarray(0, at), random.bytes(1 + random.integer(5000)), bytes.subarray(at));
    case 'removed':
      return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + random.integer(5000)));
    case 'swapped':
      return joined(bytes.subarray(at), bytes.subarray(0, at));
    case 'headers':
      for (let sector = 0; sector < 3; sector++) flip(bytes.subarray(sector * blockSizeBytes), random);
      return bytes;
    case 'emptied':
      return bytes.slice(0, 0);
  }
}

function flip(bytes: Uint8Array, random: SeededRandom): void {
  if (bytes.length === 0) return;
  const at = random.integer(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** How the blocks of an archive lie, and what they were. */
export interface Original {
  /** The whole archive, of each header that it had: of equal length, and with equal blocks but for headers. */
  readonly versions: readonly Uint8Array[];
  readonly copies: number;
  readonly dataBlocks: number;
  readonly parityBlocks: number;
}

interface Found {
  readonly hasHeader: boolean;
  /** Whether a final header or a parity block of the last band is there: without one nobody knows where the data end. */
  readonly hasEnd: boolean;
  /** Positions of data and parity blocks that are there. */
  readonly positions: ReadonlySet<number>;
}

function layoutOf({ versions: [first], copies, ...shape }: Original): Layout {
  const blocks = (first?.length ?? 0) / copies / blockSizeBytes;
  const layout = Layout.fromTotalBlocks(blocks, shape);
  if (layout === undefined) throw new Error(`no layout has ${blocks} blocks`);
  return layout;
}

/** Which blocks stand somewhere in these bytes, wherever that is. */
function findBlocks(original: Original, layout: Layout, bytes: Uint8Array): Found {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const positions = new Set<number>();
  let hasHeader = false;
  let hasEnd = false;
  for (let position = 0; position < layout.totalBlocks; position++) {
    const { kind } = layout.place(position);
    const isHeader = kind === 'header' || kind === 'final';
    const isEnd = kind === 'final' || (kind === 'parity' && position >= layout.bandPosition(layout.bands - 1));
    if (isHeader && hasHeader && (hasEnd || !isEnd)) continue;
    const start = position * blockSizeBytes;
    const isThere = (isHeader ? original.versions : original.versions.slice(0, 1)).some((version) => {
      const block = version.subarray(start, start + blockSizeBytes);
      const isInPlace =
        all.length >= start + blockSizeBytes &&
        all.compare(block, 0, blockSizeBytes, start, start + blockSizeBytes) === 0;
      return isInPlace || all.includes(block);
    });
    if (!isThere) continue;
    hasEnd ||= isEnd;
    if (isHeader) hasHeader = true;
    else positions.add(position);
  }
  return { hasHeader, hasEnd, positions };
}

/** Whether a header block of an archive is whole in these bytes. */
export function hasHeader(original: Original, bytes: Uint8Array): boolean {
  return findBlocks(original, layoutOf(original), bytes).hasHeader;
}

/**
 * Whether an archive must come back from these replicas together: a header block is whole, one of the end is, and of no stripe more blocks
 * are gone than it has parity. Beyond that it may come back as well; what comes back is right either way.
 */
export function mustHeal(original: Original, replicas: readonly Uint8Array[]): boolean {
  const layout = layoutOf(original);
  const found = replicas.map((bytes) => findBlocks(original, layout, bytes));
  if (!found.some((one) => one.hasHeader) || !found.some((one) => one.hasEnd)) return false;
  const gone = new Map<string, number>();
  for (let position = 0; position < layout.totalBlocks; position++) {
    const place = layout.place(position);
    if (place.kind === 'header' || place.kind === 'final') continue;
    if (found.some(({ positions }) => positions.has(position))) continue;
    const { stripes, parityRows } = layout.bandGeometry(place.band);
    const stripe = `${place.band} ${place.index % stripes}`;
    const count = (gone.get(stripe) ?? 0) + 1;
    if (count > parityRows) return false;
    gone.set(stripe, count);
  }
  return true;
}
