const gatheredLength = 128 * 1024;
const chunkBytes = 1024 * 1024;

/** Gathers lines of JSON and gives them out in chunks of at most 1 MiB. Memory: that of a chunk, or of the longest line. */
export async function* chunkLines(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<Buffer> {
  // To wait for each line of what does not need it takes longer than to make it.
  const texts = Symbol.asyncIterator in lines ? gatherLater(lines) : gather(lines);
  for await (const text of texts) yield* pieces(Buffer.from(text));
}

function* gather(lines: Iterable<string>): Generator<string> {
  let text = '';
  for (const line of lines) {
    text += `${line}\n`;
    if (text.length < gatheredLength) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

async function* gatherLater(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let text = '';
  for await (const line of lines) {
    text += `${line}\n`;
    if (text.length < gatheredLength) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}
