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
