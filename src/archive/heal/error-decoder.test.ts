import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ErrorDecoder } from './error-decoder.ts';
import { multiply, power } from './galois-field.ts';

interface Damage {
  readonly place: number;
  readonly value: number;
  readonly erased: boolean;
}

const allPlaces = Uint8Array.from({ length: 255 }, (_, index) => index + 1);

/** Decodes the zero word with this damage; undefined where the decoder gives up. */
function decode(decoder: ErrorDecoder, rowCount: number, damage: readonly Damage[]): Map<number, number> | undefined {
  for (let row = 0; row < rowCount; row++) {
    decoder.syndromes[row] = damage.reduce((sum, { place, value }) => sum ^ multiply(value, power(place, row)), 0);
  }
  const erased = damage.filter((item) => item.erased);
  for (const [index, { place }] of erased.entries()) decoder.erasures[index] = place;
  const count = decoder.decode(erased.length);
  if (count < 0) {
    assert.equal(count, -1);
    return undefined;
  }
  const corrections = new Map<number, number>();
  for (let index = 0; index < count; index++) corrections.set(decoder.places[index]!, decoder.corrections[index]!);
  assert.equal(corrections.size, count, 'no place twice');
  return corrections;
}

function damageOf(errors: number, erasures: number): fc.Arbitrary<Damage[]> {
  const count = errors + erasures;
  return fc
    .tuple(
      fc.uniqueArray(fc.integer({ min: 1, max: 255 }), { minLength: count, maxLength: count }),
      fc.array(fc.integer({ min: 1, max: 255 }), { minLength: count, maxLength: count }),
      fc.array(fc.boolean(), { minLength: count, maxLength: count }),
    )
    .map(([places, values, zeros]) =>
      places.map((place, index) => {
        const erased = index >= errors;
        return { place, erased, value: erased && zeros[index] ? 0 : values[index]! };
      }),
    );
}

test('every mix of errors and erasures up to 2e + f = m is corrected', () => {
  for (const rowCount of [1, 2, 3, 5, 6, 9, 16, 63, 64]) {
    const decoder = new ErrorDecoder(rowCount);
    decoder.setSuspects(allPlaces);
    for (let errors = 0; 2 * errors <= rowCount; errors++) {
      for (const erasures of new Set([0, 1, rowCount - 2 * errors - 1, rowCount - 2 * errors])) {
        if (erasures < 0 || 2 * errors + erasures > rowCount) continue;
        const law = fc.property(damageOf(errors, erasures), (damage) => {
          const expected = new Map(damage.map(({ place, value }) => [place, value]));
          const found = decode(decoder, rowCount, damage);
          assert.ok(found !== undefined, `${errors} errors, ${erasures} erasures, ${rowCount} rows`);
          assert.deepEqual([...found].sort(), [...expected].sort());
        });
        fc.assert(law, { seed: 6, numRuns: rowCount > 16 ? 5 : 40 });
      }
    }
  }
});

test('one error more is given up, or answered with another codeword within reach', () => {
  const rowCount = 16;
  const decoder = new ErrorDecoder(rowCount);
  decoder.setSuspects(allPlaces);
  let givenUp = 0;
  const law = fc.property(fc.integer({ min: 0, max: 8 }), fc.nat(), (errors, seed) => {
    const [damage] = fc.sample(damageOf(errors + 1, rowCount - 2 * errors), { seed, numRuns: 1 });
    const found = decode(decoder, rowCount, damage!);
    if (found === undefined) {
      givenUp++;
      return;
    }
    const erased = damage!.filter((item) => item.erased).length;
    assert.ok(2 * (found.size - erased) + erased <= rowCount);
    const answered = [...found].map(([place, value]) => ({ place, value, erased: false }));
    for (let row = 0; row < rowCount; row++) {
      const sum = [...damage!, ...answered].reduce(
        (all, { place, value }) => all ^ multiply(value, power(place, row)),
        0,
      );
      assert.equal(sum, 0);
    }
  });
  fc.assert(law, { seed: 7, numRuns: 500 });
  assert.ok(givenUp > 300, `${givenUp} of 500`);
});

test('an error at a place that is no suspect is no solution', () => {
  const decoder = new ErrorDecoder(6);
  const damage = [
    { place: 7, value: 9, erased: false },
    { place: 20, value: 1, erased: false },
  ];
  decoder.setSuspects(Uint8Array.of(3, 7, 20));
  assert.deepEqual(
    decode(decoder, 6, damage),
    new Map([
      [7, 9],
      [20, 1],
    ]),
  );
  decoder.setSuspects(Uint8Array.of(3, 7, 21));
  assert.equal(decode(decoder, 6, damage), undefined);
  // One that was, and is left out of a shorter list.
  decoder.setSuspects(Uint8Array.of(3, 7, 20));
  decoder.setSuspects(Uint8Array.of(3, 7));
  assert.equal(decode(decoder, 6, damage), undefined);
});

test('an error more than few rows can tell is given up though there are places for all, or another codeword is within reach', () => {
  for (const rowCount of [1, 2, 3, 4, 5]) {
    const decoder = new ErrorDecoder(rowCount);
    decoder.setSuspects(allPlaces);
    const law = fc.property(damageOf(Math.floor(rowCount / 2) + 1, 0), (damage) => {
      const found = decode(decoder, rowCount, damage);
      assert.ok(found === undefined || 2 * found.size <= rowCount);
    });
    fc.assert(law, { seed: 9, numRuns: 50 });
  }
});

test('the decoder carries nothing over from one column to the next', () => {
  const used = new ErrorDecoder(10);
  used.setSuspects(allPlaces);
  const columns = fc.array(
    fc.nat(4).chain((errors) => damageOf(errors, 10 - 2 * errors)),
    { minLength: 2, maxLength: 5 },
  );
  const law = fc.property(columns, (damages) => {
    for (const damage of damages) {
      const fresh = new ErrorDecoder(10);
      fresh.setSuspects(allPlaces);
      assert.deepEqual(decode(used, 10, damage), decode(fresh, 10, damage));
    }
  });
  fc.assert(law, { seed: 8, numRuns: 50 });
});
