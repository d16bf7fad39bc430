/** What is said of a setting that is not there, and has to be: what kind of value it takes. */
export function missingText(expected: string): string {
  return `is not set, and has to be (${expected})`;
}
