/** What a mask may look at besides the value. */
export interface MaskContext {
  readonly model: string;
  readonly field: string;
  /** The row as it stands in the archive, by field. */
  readonly row: Readonly<Record<string, unknown>>;
  /** The most characters that the column takes; undefined where there is no limit. */
  readonly maxLengthCharacters: number | undefined;
  /**
   * 32 bytes that depend on a text and on the archive, and on nothing else: the same text gives the same bytes in every model and field, so that joins
   * over masked values hold, and another archive gives others, so that no table of known values undoes it.
   */
  digest(text: string): Uint8Array;
}

/**
 * Gives what takes the place of a value in a restore with `--mask`. It must be a function of its arguments alone: no time, no randomness. A value is
 * what the archive holds, null where the row has none.
 */
export type Mask = (value: unknown, context: MaskContext) => unknown;
