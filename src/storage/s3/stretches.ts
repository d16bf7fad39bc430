import type { CopySource } from './copy-plan.ts';
import { type ObjectCreation, removeOwn } from './object-creation.ts';
import { readHead } from './object-head.ts';
import { mostParts } from './part-sizes.ts';
import { UploadLanes } from './upload-lanes.ts';

/**
 * A run of any length, uploaded as objects that are never listed, one after the other: each in as many small parts as an upload may have. The
 * server makes the archive of them.
 */
export class Stretches {
  readonly #stage: () => ObjectCreation;
  readonly #partsAtMost: number;
  readonly #made: ObjectCreation[] = [];
  readonly #sources: CopySource[] = [];
  #current: { readonly lanes: UploadLanes; readonly creation: ObjectCreation } | undefined;
  #sentBytes = 0;

  constructor(options: { readonly stage: () => ObjectCreation; readonly partsAtMost?: number | undefined }) {
    this.#stage = options.stage;
    this.#partsAtMost = options.partsAtMost ?? mostParts;
  }

  /** Sends the next part, and waits until there is room for more. `release` is called when the memory is free again. */
  async add(bytes: Uint8Array, release: () => void): Promise<void> {
    if (this.#current?.lanes.partCount === this.#partsAtMost) await this.#end();
    if (this.#current === undefined) {
      const creation = this.#stage();
      this.#made.push(creation);
      this.#current = { creation, lanes: await UploadLanes.begin(creation, 1) };
    }
    this.#sentBytes += bytes.length;
    await this.#current.lanes.add(bytes, release);
  }

  /** The objects that the run is in. */
  async complete(): Promise<readonly CopySource[]> {
    await this.#end();
    return this.#sources;
  }

  /** Removes what was made. May be repeated. */
  async remove(): Promise<void> {
    await this.#current?.lanes.abort();
    for (const creation of this.#made) await removeOwn(creation);
  }

  async #end(): Promise<void> {
    if (this.#current === undefined) return;
    const { creation, lanes } = this.#current;
    await lanes.complete();
    const { key, connection } = creation;
    const { etag } = await readHead(connection, key);
    this.#sources.push({ key, etag, sizeBytes: this.#sentBytes });
    this.#sentBytes = 0;
    this.#current = undefined;
  }
}
