// The heavy loop of Reed-Solomon over GF(2^8), docs/format.md section 4.

/** `sum ^ coefficient · bytes`: the table holds the products of the low nibbles, then those of the high ones. */
@inline
function add(sum: v128, table: usize, low: v128, high: v128): v128 {
  const products = v128.xor(i8x16.relaxed_swizzle(v128.load(table), low), i8x16.relaxed_swizzle(v128.load(table, 16), high));
  return v128.xor(sum, products);
}

/**
 * target[row] ^= Σ coefficient(index, row) · source[index] for `count` sources of `length` bytes (a multiple of 16) and `rows`
 * targets (a multiple of 8) that follow one another. Eight sums stay in registers while the sources are gone through.
 */
export function accumulate(
  source: usize, sourceStride: usize, count: i32,
  tables: usize, tableStride: usize,
  target: usize, rows: i32, length: i32,
): void {
  const nibble = i8x16.splat(0x0f);
  const stride = <usize>length;
  for (let row: i32 = 0; row < rows; row += 8) {
    for (let offset: usize = 0; offset < stride; offset += 16) {
      const to = target + <usize>row * stride + offset;
      let sum0 = v128.load(to);
      let sum1 = v128.load(to + stride);
      let sum2 = v128.load(to + 2 * stride);
      let sum3 = v128.load(to + 3 * stride);
      let sum4 = v128.load(to + 4 * stride);
      let sum5 = v128.load(to + 5 * stride);
      let sum6 = v128.load(to + 6 * stride);
      let sum7 = v128.load(to + 7 * stride);
      let from = source + offset;
      let table = tables + (<usize>row << 5);
      for (let index: i32 = 0; index < count; index++) {
        const bytes = v128.load(from);
        const low = v128.and(bytes, nibble);
        const high = i8x16.shr_u(bytes, 4);
        sum0 = add(sum0, table, low, high);
        sum1 = add(sum1, table + 32, low, high);
        sum2 = add(sum2, table + 64, low, high);
        sum3 = add(sum3, table + 96, low, high);
        sum4 = add(sum4, table + 128, low, high);
        sum5 = add(sum5, table + 160, low, high);
        sum6 = add(sum6, table + 192, low, high);
        sum7 = add(sum7, table + 224, low, high);
        from += sourceStride;
        table += tableStride;
      }
      v128.store(to, sum0);
      v128.store(to + stride, sum1);
      v128.store(to + 2 * stride, sum2);
      v128.store(to + 3 * stride, sum3);
      v128.store(to + 4 * stride, sum4);
      v128.store(to + 5 * stride, sum5);
      v128.store(to + 6 * stride, sum6);
      v128.store(to + 7 * stride, sum7);
    }
  }
}

const groupSize: i32 = 8;

/** The same, of a table whose halves are loaded already. */
@inline
function addProduct(sum: v128, lows: v128, highs: v128, bytes: v128): v128 {
  const low = i8x16.relaxed_swizzle(lows, v128.and(bytes, i8x16.splat(0x0f)));
  return v128.xor(sum, v128.xor(low, i8x16.relaxed_swizzle(highs, i8x16.shr_u(bytes, 4))));
}

/**
 * Adds the sums in the novel basis over the data blocks of one stripe, `count` of them from index `firstIndex` on, to `rows` (a multiple of 8)
 * targets that follow one another. Blocks go in groups of eight indexes from a multiple of eight on; `zeros` stands in for those of a group that
 * are not given. The tables of a group: the coefficients of its three layers, four, two and one; then one for each further eight rows.
 */
export function transform(
  source: usize, sourceStride: usize, firstIndex: i32, count: i32,
  tables: usize, zeros: usize,
  target: usize, rows: i32, length: i32,
): void {
  const tableStride = <usize>(6 + (rows >> 3)) << 5;
  for (let group = firstIndex / groupSize * groupSize; group < firstIndex + count; group += groupSize) {
    const skipped = group - firstIndex;
    const table = tables + <usize>(group >> 3) * tableStride;
    // From the last index to the first, since locators fall where indexes grow.
    transformGroup(
      place(source, sourceStride, skipped + 7, count, zeros), place(source, sourceStride, skipped + 6, count, zeros),
      place(source, sourceStride, skipped + 5, count, zeros), place(source, sourceStride, skipped + 4, count, zeros),
      place(source, sourceStride, skipped + 3, count, zeros), place(source, sourceStride, skipped + 2, count, zeros),
      place(source, sourceStride, skipped + 1, count, zeros), place(source, sourceStride, skipped, count, zeros),
      table, target, <usize>rows, <usize>length);
  }
}

/** Where a source stands, or zeros. */
@inline
function place(source: usize, stride: usize, at: i32, count: i32, zeros: usize): usize {
  return at >= 0 && at < count ? source + <usize>at * stride : zeros;
}

/** A butterfly is `sum = U + V`, and `coefficient · sum + V` in V's place. */
function transformGroup(
  from0: usize, from1: usize, from2: usize, from3: usize, from4: usize, from5: usize, from6: usize, from7: usize,
  table: usize, target: usize, rows: usize, length: usize,
): void {
  for (let offset: usize = 0; offset < length; offset += 16) {
    let lows = v128.load(table);
    let highs = v128.load(table, 16);
    let x1 = v128.load(from1 + offset);
    let x0 = v128.xor(v128.load(from0 + offset), x1);
    x1 = addProduct(x1, lows, highs, x0);
    lows = v128.load(table, 32);
    highs = v128.load(table, 48);
    let x3 = v128.load(from3 + offset);
    let x2 = v128.xor(v128.load(from2 + offset), x3);
    x3 = addProduct(x3, lows, highs, x2);
    lows = v128.load(table, 64);
    highs = v128.load(table, 80);
    let x5 = v128.load(from5 + offset);
    let x4 = v128.xor(v128.load(from4 + offset), x5);
    x5 = addProduct(x5, lows, highs, x4);
    lows = v128.load(table, 96);
    highs = v128.load(table, 112);
    let x7 = v128.load(from7 + offset);
    let x6 = v128.xor(v128.load(from6 + offset), x7);
    x7 = addProduct(x7, lows, highs, x6);

    lows = v128.load(table, 128);
    highs = v128.load(table, 144);
    x0 = v128.xor(x0, x2);
    x2 = addProduct(x2, lows, highs, x0);
    x1 = v128.xor(x1, x3);
    x3 = addProduct(x3, lows, highs, x1);
    lows = v128.load(table, 160);
    highs = v128.load(table, 176);
    x4 = v128.xor(x4, x6);
    x6 = addProduct(x6, lows, highs, x4);
    x5 = v128.xor(x5, x7);
    x7 = addProduct(x7, lows, highs, x5);

    lows = v128.load(table, 192);
    highs = v128.load(table, 208);
    x0 = v128.xor(x0, x4);
    x4 = addProduct(x4, lows, highs, x0);
    x1 = v128.xor(x1, x5);
    x5 = addProduct(x5, lows, highs, x1);
    x2 = v128.xor(x2, x6);
    x6 = addProduct(x6, lows, highs, x2);
    x3 = v128.xor(x3, x7);
    x7 = addProduct(x7, lows, highs, x3);

    let to = target + offset;
    v128.store(to, v128.xor(v128.load(to), x0));
    v128.store(to + length, v128.xor(v128.load(to + length), x1));
    v128.store(to + 2 * length, v128.xor(v128.load(to + 2 * length), x2));
    v128.store(to + 3 * length, v128.xor(v128.load(to + 3 * length), x3));
    v128.store(to + 4 * length, v128.xor(v128.load(to + 4 * length), x4));
    v128.store(to + 5 * length, v128.xor(v128.load(to + 5 * length), x5));
    v128.store(to + 6 * length, v128.xor(v128.load(to + 6 * length), x6));
    v128.store(to + 7 * length, v128.xor(v128.load(to + 7 * length), x7));
    let coefficient = table + 224;
    for (let row: usize = 8; row < rows; row += 8) {
      to += 8 * length;
      lows = v128.load(coefficient);
      highs = v128.load(coefficient, 16);
      v128.store(to, addProduct(v128.load(to), lows, highs, x0));
      v128.store(to + length, addProduct(v128.load(to + length), lows, highs, x1));
      v128.store(to + 2 * length, addProduct(v128.load(to + 2 * length), lows, highs, x2));
      v128.store(to + 3 * length, addProduct(v128.load(to + 3 * length), lows, highs, x3));
      v128.store(to + 4 * length, addProduct(v128.load(to + 4 * length), lows, highs, x4));
      v128.store(to + 5 * length, addProduct(v128.load(to + 5 * length), lows, highs, x5));
      v128.store(to + 6 * length, addProduct(v128.load(to + 6 * length), lows, highs, x6));
      v128.store(to + 7 * length, addProduct(v128.load(to + 7 * length), lows, highs, x7));
      coefficient += 32;
    }
  }
}
