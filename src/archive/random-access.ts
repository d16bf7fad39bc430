/** Bytes that can be read in any order: the archive's side of what a storage gives. */
export interface RandomAccess {
  readonly sizeBytes: number;
  /**
   * Fills `into` from `offset` on and returns the number of bytes read: fewer only at the end. May be repeated, and
   * several may be under way at once. A range that cannot be read throws; other ranges may still be readable.
   */
  read(offset: number, into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}
