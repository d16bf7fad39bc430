import { blockVectors } from './blocks.ts';
import { headerVectors } from './header.ts';
import { indexVectors } from './index.ts';
import { keyVectors } from './keys.ts';
import { layoutVectors } from './layout.ts';
import { segmentVectors } from './segments.ts';
import type { Made, Vector } from './vector.ts';

/** All vectors. None is ever changed or removed once it was released; new ones are added. */
export const vectors: readonly Vector[] = [
  ...headerVectors,
  ...keyVectors,
  ...segmentVectors,
  ...indexVectors,
  ...blockVectors,
  ...layoutVectors,
];

/** What stands in `<name>.json`: the question and the answer. */
export function expectation(vector: Vector, made: Made) {
  const lost = vector.lostEntries ?? [];
  const missing = [...lost, ...(vector.passedOver ?? [])];
  const given = vector.expect === 'ok' || lost.length > 0 ? made.entries : [];
  return {
    name: vector.name,
    describes: vector.describes,
    passphrase: vector.passphrase ?? null,
    identity: vector.identity ?? null,
    deterministic: vector.deterministic ?? true,
    expect: vector.expect,
    entries: given.filter((entry) => !missing.includes(entry.path)),
    blocks: vector.blocks ?? null,
    lostEntries: lost,
    verifyState: vector.verifyState,
  };
}
