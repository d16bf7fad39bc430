/** The bytes of an entry, once, from the start: as chunks, or read into memory of the caller's, never both. */
export interface EntryBytes extends AsyncIterable<Uint8Array> {
  /**
   * Absent where the bytes come as they like. Fills `into` from its start, with one byte at least unless they have ended; gives how
   * many. Throws as the iteration does.
   */
  readInto?(into: Uint8Array): Promise<number>;
}
