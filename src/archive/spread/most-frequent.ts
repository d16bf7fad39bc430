/** The value that most have; the first of those where several are equal. */
export function mostFrequent<Value>(values: readonly Value[], keyOf: (value: Value) => string): Value | undefined {
  const counts = new Map<string, { value: Value; count: number }>();
  for (const value of values) {
    const known = counts.get(keyOf(value)) ?? { value, count: 0 };
    known.count += 1;
    counts.set(keyOf(value), known);
  }
  let best: { value: Value; count: number } | undefined;
  for (const one of counts.values()) if (one.count > (best?.count ?? 0)) best = one;
  return best?.value;
}
