import type { BlockMap } from '../history/block-maps.ts';
import type { BlockStep } from './options.ts';

function changed(cells: string, from: number, part: string): string {
  return cells.slice(0, from) + part + cells.slice(from + part.length);
}

/** A cell of a second reading: what was damaged and is whole now was healed in between. */
function mended(now: string, before: string): string {
  if (now === '.') return before;
  return now === '=' && before !== '=' && before !== '.' ? '~' : now;
}

/** Puts the map of an archive together from the steps of one reading. */
export class BlockReading {
  readonly #earlier: readonly string[] | undefined;
  #found: readonly string[] | undefined;

  /** `earlier`: what whoever reads found there before, where this is the reading of what was mended since. */
  constructor(earlier?: readonly string[]) {
    this.#earlier = earlier;
  }

  /** Takes in a step; gives all that is known with it. */
  see(step: BlockStep, lookedMs: number): BlockMap {
    const { archiveId, blocks, dataBlocks, parityBlocks, cellCount, changes } = step;
    const found = [...(this.#found ?? Array.from({ length: blocks.copies }, () => '.'.repeat(cellCount)))];
    for (const { copy, from, cells } of changes) found[copy] = changed(found[copy] ?? '', from, cells);
    this.#found = found;
    const { perCopy, damaged, solved, lost } = blocks;
    const counts = { perCopy, damaged, solved, lost, dataBlocks, parityBlocks };
    return { archiveId, lookedMs, ...counts, copies: this.#withEarlier(found, cellCount) };
  }

  #withEarlier(found: readonly string[], cellCount: number): readonly string[] {
    const earlier = this.#earlier;
    if (earlier?.length !== found.length || earlier[0]?.length !== cellCount) return found;
    return found.map((cells, copy) =>
      [...cells].map((now, cell) => mended(now, earlier[copy]?.[cell] ?? '.')).join(''),
    );
  }
}
