import { HoldfastError } from '../../errors.ts';

/** `multipart/form-data` as it comes: RFC 7578 over RFC 2046. */

/** A part: a field with its text, or a file whose bytes are read before the next part is asked for. */
export interface FormPart {
  readonly name: string;
  /** Absent for a field. */
  readonly fileName?: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

const maximumHeadBytes = 8192;
const maximumParts = 20;

function invalid(message: string): HoldfastError {
  return new HoldfastError('request.invalid', { message: `the form is not valid: ${message}` });
}

/** The boundary that a content type names. Throws `request.invalid`. */
export function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /^multipart\/form-data\s*;.*?boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined || boundary.length > 70) throw invalid('it has no boundary');
  return boundary;
}

/** Bytes that were received and not taken, refilled from the body. */
class Received {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** False at the end of the body. */
  async more(): Promise<boolean> {
    const { done, value } = await this.#pieces.next();
    if (done === true) return false;
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(value) : Buffer.concat([this.#bytes, value]);
    return true;
  }

  take(count: number): Buffer {
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }
}

/** Bytes up to a delimiter, which is taken too. */
async function* until(received: Received, delimiter: Buffer): AsyncGenerator<Uint8Array> {
  for (;;) {
    const at = received.bytes.indexOf(delimiter);
    if (at >= 0) {
      if (at > 0) yield received.take(at);
      received.take(delimiter.length);
      return;
    }
    // The delimiter may have begun in the last bytes.
    const safe = received.bytes.length - delimiter.length + 1;
    if (safe > 0) yield received.take(safe);
    if (!(await received.more())) throw invalid('it breaks off');
  }
}

/** A short text up to a delimiter. */
async function textUntil(received: Received, delimiter: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of until(received, Buffer.from(delimiter))) {
    size += piece.length;
    if (size > maximumHeadBytes) throw invalid('a head is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function readHead(head: string): { name: string; fileName?: string } {
  const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(head)?.[1];
  if (disposition === undefined) throw invalid('a part has no name');
  const value = (key: string) => new RegExp(`(?:^|[;\\s])${key}="([^"]*)"`, 'i').exec(disposition)?.[1];
  const name = value('name');
  if (name === undefined) throw invalid('a part has no name');
  const fileName = value('filename');
  return fileName === undefined ? { name } : { name, fileName: fileName.replaceAll('%22', '"') };
}

/** The parts of a body, one after the other; what is not read of one is passed over. Throws `request.invalid`. */
export async function* readParts(pieces: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<FormPart> {
  const received = new Received(pieces);
  await textUntil(received, `--${boundary}`);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  for (let count = 0; ; count++) {
    while (received.bytes.length < 2) if (!(await received.more())) throw invalid('it breaks off');
    const end = received.take(2).toString('latin1');
    if (end === '--') return;
    if (end !== '\r\n') throw invalid('there is something behind a boundary');
    if (count >= maximumParts) throw invalid('it has too many parts');
    const head = readHead(await textUntil(received, '\r\n\r\n'));
    const bytes = until(received, delimiter);
    yield { ...head, bytes };
    for await (const _ of bytes);
  }
}

/** The text of a field. Throws `request.invalid` where it is long. */
export async function readField({ bytes, name }: FormPart): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bytes) {
    size += piece.length;
    if (size > maximumHeadBytes) throw invalid(`the field ${name.slice(0, 50)} is too long`);
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces).toString('utf8');
}
