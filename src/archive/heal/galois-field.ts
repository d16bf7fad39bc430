/** GF(2^8) of `docs/format.md` section 4: the polynomial 0x11D and the generator 2. */

const polynomial = 0x11d;

/** Number of powers of the generator: exponents count modulo this. */
export const groupOrder = 255;

/** The generator to the power of an exponent from 0 to 509, so that a sum of two needs no reduction. */
export const powers = new Uint8Array(2 * groupOrder);

/** The exponent, 0 to 254, of an element; that of 0, which has none, must not be asked for. */
export const logarithms = new Uint8Array(256);

/** All products: that of a and b stands at `a << 8 | b`. One look-up and no branch for zero, for the loops. */
export const products = new Uint8Array(65_536);

for (let exponent = 0, element = 1; exponent < groupOrder; exponent++) {
  powers[exponent] = element;
  powers[exponent + groupOrder] = element;
  logarithms[element] = exponent;
  element <<= 1;
  if (element > 255) element ^= polynomial;
}
for (let left = 1; left < 256; left++) {
  for (let right = 1; right < 256; right++) {
    products[(left << 8) | right] = powers[logarithms[left]! + logarithms[right]!]!;
  }
}

/** The generator to any power from 0 on. */
export function power(exponent: number): number {
  return powers[exponent % groupOrder]!;
}

/** The product of two elements. */
export function multiply(left: number, right: number): number {
  return products[(left << 8) | right]!;
}

/** The element whose product with this one, which must not be 0, is 1. */
export function invert(element: number): number {
  return powers[groupOrder - logarithms[element]!]!;
}

/**
 * Inverts the system Σ_u c_u·X_u^r = T_r (r from 0 to n-1) of n distinct locators: c_u = Σ_r result[u·n + r]·T_r. Row u holds the
 * coefficients of the polynomial that is 1 at X_u and 0 at the other locators.
 */
export function invertVandermonde(locators: Uint8Array): Uint8Array {
  const count = locators.length;
  const product = productOfRoots(locators);
  const inverse = new Uint8Array(count * count);
  for (let unknown = 0; unknown < count; unknown++) {
    const locator = locators[unknown]!;
    // Divides the product by (x - X_u), from the highest coefficient down, and evaluates the quotient at X_u on the way.
    let coefficient = 0;
    let value = 0;
    for (let degree = count - 1; degree >= 0; degree--) {
      coefficient = product[degree + 1]! ^ multiply(coefficient, locator);
      inverse[unknown * count + degree] = coefficient;
      value = multiply(value, locator) ^ coefficient;
    }
    const scale = invert(value);
    for (let degree = 0; degree < count; degree++) {
      const at = unknown * count + degree;
      inverse[at] = multiply(inverse[at]!, scale);
    }
  }
  return inverse;
}

/** Coefficients, lowest first, of Π (x - X_u). */
function productOfRoots(locators: Uint8Array): Uint8Array {
  const product = new Uint8Array(locators.length + 1);
  product[0] = 1;
  for (let degree = 0; degree < locators.length; degree++) {
    const root = locators[degree]!;
    for (let at = degree + 1; at > 0; at--) product[at] = product[at - 1]! ^ multiply(product[at]!, root);
    product[0] = multiply(product[0]!, root);
  }
  return product;
}
