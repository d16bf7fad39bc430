import assert from 'node:assert/strict';
import { applyToBytes, applyToFile, type Outline, type Patch } from './damage.ts';
import type { SeededRandom } from './seeded-random.ts';

/** One damage, decided: applied twice, to bytes or to a file, it does the same. */
export interface Damage {
  /** What it does, for the message of a trial that fails. */
  readonly description: string;
  /** The damaged bytes; those given stay as they are. */
  applyTo(bytes: Uint8Array): Uint8Array;
  /** Damages a file in place. Memory: 1 MiB, whatever its size. */
  applyToFile(path: string): Promise<void>;
}

/**
 * Makes damages from one seed. Nothing happens before a damage is applied.
 *
 * @example
 * const corruptor = new Corruptor(new SeededRandom(7));
 * const damage = corruptor.loseSectors(0.15, { fill: 'random' });
 * const damaged = damage.applyTo(archive);
 */
export class Corruptor {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** Sets a range to zeros; what lies past the end is left out. */
  zeroRange(offset: number, length: number): Damage {
    return this.#patch(`zero ${length} bytes at ${offset}`, () => rangePatch(offset, length, (part) => part.fill(0)));
  }

  /** Overwrites a range with random bytes. */
  loseRange(offset: number, length: number): Damage {
    return this.#patch(`lose ${length} bytes at ${offset}`, (random) =>
      rangePatch(offset, length, (part) => random.fill(part)),
    );
  }

  /** Changes `count` bytes, each at a place of its own: all of them where there are fewer. */
  flipBytes(count: number): Damage {
    return this.#patch(`flip ${count} bytes`, (random, sizeBytes) => {
      const places = new Set<number>();
      while (places.size < Math.min(count, sizeBytes)) places.add(random.integer(sizeBytes));
      const sorted = [...places].sort((a, b) => a - b);
      let next = 0;
      return flipPatch(random, () => sorted[next++] ?? Number.POSITIVE_INFINITY);
    });
  }

  /** Changes each byte with the probability `rate`, between 0 and 1. */
  randomErrors(rate: number): Damage {
    assert(rate > 0 && rate < 1, 'a rate is between 0 and 1');
    return this.#patch(`change 1 byte in ${Math.round(1 / rate)}`, (random) => {
      let place = -1;
      return flipPatch(random, () => {
        // The gap between two errors has a geometric distribution.
        place += 1 + Math.floor(Math.log(1 - random.float()) / Math.log(1 - rate));
        return place;
      });
    });
  }

  /** Loses this fraction of all sectors, rounded to whole ones, chosen at random; 4,096 bytes and random fill unless set. */
  loseSectors(fraction: number, options: { sectorBytes?: number; fill?: 'zero' | 'random' } = {}): Damage {
    assert(fraction >= 0 && fraction <= 1, 'a fraction is from 0 to 1');
    const { sectorBytes = 4096, fill = 'random' } = options;
    const description = `lose ${fraction * 100} % of all sectors of ${sectorBytes} bytes (${fill} fill)`;
    return this.#patch(description, (random, sizeBytes) => {
      const sectors = Math.ceil(sizeBytes / sectorBytes);
      const isLost = chooseInOrder(random.fork(), sectors, Math.round(sectors * fraction));
      const content = random.fork();
      return (chunk, chunkOffset) => {
        let changed = false;
        for (let at = 0; at < chunk.length; ) {
          const sector = Math.floor((chunkOffset + at) / sectorBytes);
          const end = Math.min(chunk.length, (sector + 1) * sectorBytes - chunkOffset);
          if (isLost(sector)) {
            if (fill === 'zero') chunk.fill(0, at, end);
            else content.fill(chunk.subarray(at, end));
            changed = true;
          }
          at = end;
        }
        return changed;
      };
    });
  }

  /** Puts bytes in; at the end where the offset lies past it. */
  insert(offset: number, bytes: Uint8Array): Damage {
    return this.#damage(`insert ${bytes.length} bytes at ${offset}`, (_random, sizeBytes) => {
      const place = Math.min(offset, sizeBytes);
      return [{ from: 0, to: place }, bytes, { from: place, to: sizeBytes }];
    });
  }

  /** Takes bytes out; what follows moves up. */
  remove(offset: number, length: number): Damage {
    return this.#damage(`remove ${length} bytes at ${offset}`, (_random, sizeBytes) => [
      { from: 0, to: Math.min(offset, sizeBytes) },
      { from: Math.min(offset + length, sizeBytes), to: sizeBytes },
    ]);
  }

  /** Keeps the first `length` bytes. */
  truncate(length: number): Damage {
    return this.#damage(`truncate to ${length} bytes`, (_random, sizeBytes) => [
      { from: 0, to: Math.min(length, sizeBytes) },
    ]);
  }

  /** Puts the second half before the first. */
  swapHalves(): Damage {
    return this.#damage('swap the halves', (_random, sizeBytes) => {
      const middle = Math.floor(sizeBytes / 2);
      return [
        { from: middle, to: sizeBytes },
        { from: 0, to: middle },
      ];
    });
  }

  /** Puts other bytes after the end. */
  appendForeign(bytes: Uint8Array): Damage {
    return this.#damage(`append ${bytes.length} foreign bytes`, (_random, sizeBytes) => [
      { from: 0, to: sizeBytes },
      bytes,
    ]);
  }

  /** Puts other bytes on both sides, as in the image of a disk. */
  embed(before: Uint8Array, after: Uint8Array): Damage {
    const description = `embed between ${before.length} and ${after.length} foreign bytes`;
    return this.#damage(description, (_random, sizeBytes) => [before, { from: 0, to: sizeBytes }, after]);
  }

  #patch(description: string, patch: (random: SeededRandom, sizeBytes: number) => Patch): Damage {
    return this.#damage(description, (random, sizeBytes) => [
      { from: 0, to: sizeBytes, patch: patch(random, sizeBytes) },
    ]);
  }

  #damage(description: string, outline: (random: SeededRandom, sizeBytes: number) => Outline): Damage {
    const own = this.#random.fork();
    const decide = (sizeBytes: number) => outline(own.restart(), sizeBytes);
    return {
      description: `${description} [seed ${this.#random.seed}/${own.seed}]`,
      applyTo: (bytes) => applyToBytes(decide(bytes.length), bytes),
      applyToFile: (path) => applyToFile(decide, path),
    };
  }
}

function rangePatch(offset: number, length: number, change: (part: Uint8Array) => void): Patch {
  return (chunk, chunkOffset) => {
    const start = Math.max(0, offset - chunkOffset);
    const end = Math.min(chunk.length, offset + length - chunkOffset);
    if (start >= end) return false;
    change(chunk.subarray(start, end));
    return true;
  };
}

/** `nextPlace` gives rising offsets. */
function flipPatch(random: SeededRandom, nextPlace: () => number): Patch {
  let place = nextPlace();
  return (chunk, chunkOffset) => {
    let changed = false;
    while (place < chunkOffset + chunk.length) {
      const index = place - chunkOffset;
      chunk[index] = (chunk[index] ?? 0) ^ (1 + random.integer(255));
      changed = true;
      place = nextPlace();
    }
    return changed;
  };
}

/** Chooses exactly `wanted` of `total` while they are asked for from 0 up, each as often as need be (Knuth's algorithm S). */
function chooseInOrder(random: SeededRandom, total: number, wanted: number): (index: number) => boolean {
  let current = -1;
  let isChosen = false;
  let missing = wanted;
  return (index) => {
    while (current < index) {
      current += 1;
      isChosen = random.float() * (total - current) < missing;
      if (isChosen) missing -= 1;
    }
    return isChosen;
  };
}
