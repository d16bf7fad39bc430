import { HoldfastError } from '../../errors.ts';
import { crc32Base64, MultipartUpload } from './multipart-upload.ts';
import type { ObjectCreation } from './object-creation.ts';
import { partsInLane } from './part-sizes.ts';

/** Requests that are under way at once, and bytes of their parts unless a single part is larger. It bounds the memory. */
const requestsAtOnce = 4;
const bytesAtOnce = 20 * 2 ** 20;

/**
 * An upload whose bytes go to several lanes at once: the same memory is part `n` of each of them. What fails is kept, and thrown at the next
 * call.
 */
export class UploadLanes {
  readonly #creation: ObjectCreation;
  readonly #upload: MultipartUpload;
  readonly #lanes: number;
  readonly #underWay = new Set<Promise<void>>();
  #bytesUnderWay = 0;
  #nextPart = 1;
  #failure: { readonly error: unknown } | undefined;

  static async begin(creation: ObjectCreation, lanes: number): Promise<UploadLanes> {
    return new UploadLanes(creation, await MultipartUpload.begin(creation), lanes);
  }

  private constructor(creation: ObjectCreation, upload: MultipartUpload, lanes: number) {
    this.#creation = creation;
    this.#upload = upload;
    this.#lanes = lanes;
  }

  /** Parts of each lane so far. */
  get partCount(): number {
    return this.#nextPart - 1;
  }

  /** Sends the next part of every lane, and waits until there is room for more. `release` is called when the memory is free again. */
  async add(bytes: Uint8Array, release: () => void): Promise<void> {
    const number = this.#nextPart;
    this.#nextPart += 1;
    if (number > partsInLane(this.#lanes)) throw tooManyParts(this.#creation.key);
    this.#bytesUnderWay += bytes.length;
    const sending = this.#sendToAll(bytes, number).then(() => {
      this.#underWay.delete(sending);
      this.#bytesUnderWay -= bytes.length;
      release();
    });
    this.#underWay.add(sending);
    while (this.#isFull()) await Promise.race(this.#underWay);
    this.#throwFailure();
  }

  /** Makes the object of what was sent: lane after lane. */
  async complete(): Promise<void> {
    await Promise.all(this.#underWay);
    this.#throwFailure();
    await this.#upload.complete();
  }

  /** Removes what was sent. May be repeated. */
  async abort(): Promise<void> {
    await this.#upload.abort();
    await Promise.all(this.#underWay);
  }

  async #sendToAll(bytes: Uint8Array, number: number): Promise<void> {
    const { connection, settings } = this.#creation;
    connection.willSend(bytes);
    const checksum = settings.checksums ? crc32Base64(bytes) : undefined;
    const stride = partsInLane(this.#lanes);
    const lanes = Array.from({ length: this.#lanes }, (_, lane) => lane * stride + number);
    const results = await Promise.allSettled(lanes.map((part) => this.#upload.send(part, bytes, checksum)));
    // The others were stopped by it.
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    const first = failures.find((error) => !isInterrupted(error)) ?? failures[0];
    if (first !== undefined && (this.#failure === undefined || isInterrupted(this.#failure.error))) {
      this.#failure = { error: first };
    }
  }

  #isFull(): boolean {
    const count = this.#underWay.size;
    if (count <= 1) return false;
    return count * this.#lanes >= requestsAtOnce || this.#bytesUnderWay + this.#bytesUnderWay / count > bytesAtOnce;
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }
}

function isInterrupted(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'operation.interrupted';
}

/** The error of an object that is larger than S3 takes. */
export function tooManyParts(key: string): HoldfastError {
  return new HoldfastError('storage.full', {
    message: `${key}: it is larger than one upload can be`,
    hint: 'an object has 5 TiB at most; back up in several archives, or with fewer copies',
  });
}
