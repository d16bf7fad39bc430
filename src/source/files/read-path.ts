/** Only pieces of this size and more tell how fast a file is read. */
const leastPieceBytes = 1024 * 1024;
/** 300 MB/s, of each of two files that are read side by side. */
const slowBytesPerMs = 300_000;
const slowPiecesToLeave = 6;
const slowPiecesToLeaveAgain = 2;
const filesUntilRetry = 16;

/**
 * Whether large files of one source are read through the page cache or past it. No system call that Node has tells what is cached, so
 * the time that pieces take has to: what is cached is read three times as fast through the cache, what is not three times as fast past
 * it, and with a tenth of the CPU time.
 *
 * One slow piece proves nothing, nor does a mean: while backups keep all processors busy, a quarter of the pieces that are cached come at
 * less than 600 MB/s, and single ones at 35. Of one file at a time six in a row at less than 500 MB/s came in 1 of 13 backups of 1 GiB of
 * cached files, and in all of 17 of cold files; of two side by side in nearly every backup of cached ones, and at less than 300 MB/s in none of
 * six. A disk that is faster than that is read through the cache. The files of a source are mostly alike, so
 * what was learned holds for the next file; every 16th tries the cache again, and leaves it after two slow pieces unless a fast one
 * comes first.
 */
export class ReadPath {
  #isDirect = false;
  #slowPieces = 0;
  #directFiles = 0;

  /** Whether the next piece is read past the page cache. */
  get isDirect(): boolean {
    return this.#isDirect;
  }

  /** The next large file begins. */
  beginFile(): void {
    if (!this.#isDirect) return;
    this.#directFiles += 1;
    if (this.#directFiles < filesUntilRetry) return;
    this.#isDirect = false;
    this.#slowPieces = slowPiecesToLeave - slowPiecesToLeaveAgain;
  }

  /** A piece was read through the cache while there was a choice. */
  note(sizeBytes: number, durationMs: number): void {
    if (sizeBytes < leastPieceBytes) return;
    this.#slowPieces = sizeBytes < durationMs * slowBytesPerMs ? this.#slowPieces + 1 : 0;
    if (this.#slowPieces < slowPiecesToLeave) return;
    this.#isDirect = true;
    this.#directFiles = 0;
  }
}
