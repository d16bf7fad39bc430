const gatheredLength = 128 * 1024;
const chunkBytes = 1024 * 1024;

/** Gathers lines of JSON and gives them out in chunks of at most 1 MiB. Memory: that of a chunk, or of the longest line. */
export async function* chunkLines(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<Buffer> {
  let text = '';
  for await (const line of lines) {
    text += `${line}\n`;
    if (text.length < gatheredLength) continue;
    yield* pieces(Buffer.from(text));
    text = '';
  }
  if (text !== '') yield* pieces(Buffer.from(text));
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}
