import { createHash, type Hash } from 'node:crypto';

const blockBytes = 4 * 1024 * 1024;

/** Dropbox's "content hash": SHA-256 of the SHA-256 of each 4 MiB. */
export class ContentHash {
  readonly #outer = createHash('sha256');
  #block: Hash = createHash('sha256');
  #filledBytes = 0;

  /** Takes the next bytes. */
  update(bytes: Uint8Array): this {
    for (let taken = 0; taken < bytes.length; ) {
      const part = bytes.subarray(taken, taken + blockBytes - this.#filledBytes);
      this.#block.update(part);
      this.#filledBytes += part.length;
      taken += part.length;
      if (this.#filledBytes === blockBytes) this.#endBlock();
    }
    return this;
  }

  /** In hexadecimal; nothing more can be taken after it. */
  digest(): string {
    if (this.#filledBytes > 0) this.#endBlock();
    return this.#outer.digest('hex');
  }

  #endBlock(): void {
    this.#outer.update(this.#block.digest());
    this.#block = createHash('sha256');
    this.#filledBytes = 0;
  }
}
