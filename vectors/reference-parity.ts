/** Section 4 of docs/format.md: parity of a stripe, by solving the Vandermonde system as it is written there. */

const exponents = new Uint8Array(510);
const logarithms = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power++) {
  exponents[power] = value;
  exponents[power + 255] = value;
  logarithms[value] = power;
  value = value << 1 > 255 ? (value << 1) ^ 0x11d : value << 1;
}

function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : exponents[logarithms[a]! + logarithms[b]!]!;
}

function power(base: number, exponent: number): number {
  let value = 1;
  for (let step = 0; step < exponent; step++) value = multiply(value, base);
  return value;
}

/** The inverse of the matrix `(q + 1)^r`, by Gauss and Jordan. */
function invertedVandermonde(size: number): number[][] {
  const rows = Array.from({ length: size }, (_, r) =>
    Array.from({ length: 2 * size }, (_, q) => (q < size ? power(q + 1, r) : Number(q - size === r))),
  );
  for (let pivot = 0; pivot < size; pivot++) {
    const found = rows.findIndex((row, index) => index >= pivot && row[pivot] !== 0);
    [rows[pivot], rows[found]] = [rows[found]!, rows[pivot]!];
    const inverse = exponents[255 - logarithms[rows[pivot]![pivot]!]!]!;
    rows[pivot] = rows[pivot]!.map((value) => multiply(value, inverse));
    for (let other = 0; other < size; other++) {
      const factor = rows[other]![pivot]!;
      if (other === pivot || factor === 0) continue;
      rows[other] = rows[other]!.map((value, index) => value ^ multiply(factor, rows[pivot]![index]!));
    }
  }
  return rows.map((row) => row.slice(size));
}

/** The m parity bodies of a stripe. */
export function parityOf(bodies: readonly Buffer[], m: number): Buffer[] {
  const inverse = invertedVandermonde(m);
  const factors = bodies.map((_, index) => Array.from({ length: m }, (_, r) => power(255 - index, r)));
  const parity = Array.from({ length: m }, () => Buffer.alloc(4048));
  for (let column = 0; column < 4048; column++) {
    const sums = new Uint8Array(m);
    for (const [index, body] of bodies.entries()) {
      for (let r = 0; r < m; r++) sums[r] = sums[r]! ^ multiply(body[column]!, factors[index]![r]!);
    }
    for (let q = 0; q < m; q++) {
      let value = 0;
      for (let r = 0; r < m; r++) value ^= multiply(inverse[q]![r]!, sums[r]!);
      parity[q]![column] = value;
    }
  }
  return parity;
}
