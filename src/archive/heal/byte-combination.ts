/** Bytes in which two copies may differ for their combinations to be tried: 256 of them. */
const maximumDifferences = 8;

/** A body that takes each byte from one of two copies and is accepted; undefined where there is none, or too many would have to be tried. */
export function findCombination(
  copies: { readonly first: Uint8Array; readonly second: Uint8Array },
  accept: (body: Uint8Array) => boolean,
): Uint8Array | undefined {
  const { first, second } = copies;
  const differences: number[] = [];
  for (let at = 0; at < first.length; at++) {
    if (first[at] === second[at]) continue;
    if (differences.length === maximumDifferences) return undefined;
    differences.push(at);
  }
  // Of a Buffer, `slice` would be the same memory.
  const body = new Uint8Array(first);
  for (let combination = 0; combination < 2 ** differences.length; combination++) {
    for (const [bit, at] of differences.entries())
      body[at] = ((combination >> bit) & 1) === 0 ? first[at]! : second[at]!;
    if (accept(body)) return body;
  }
  return undefined;
}
