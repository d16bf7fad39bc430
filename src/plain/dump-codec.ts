import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Duplex, pipeline, Readable, type Writable } from 'node:stream';
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { HoldfastError, throwIfAborted } from '../errors.ts';
import type { DumpCodec } from './codec-names.ts';

/** Compresses a stream as the standard tool does. Throws `tool.not_found`, `tool.failed`, and what the stream throws. */
export async function* compressed(
  codec: DumpCodec,
  bytes: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (codec === 'none') yield* bytes;
  else if (codec === 'gzip') yield* through(bytes, stageOf(createGzip({ level: 6 })), signal);
  else if (codec === 'zstd') {
    yield* through(bytes, stageOf(createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } })), signal);
  } else {
    yield* throughProgram(codec, codec === 'xz' ? ['-c', '-6', '-T1'] : ['-c', '-9'], bytes, signal);
  }
}

/** Expands a stream. Throws `archive.damaged` for one that is cut or changed, `tool.not_found`, and what the stream throws. */
export async function* expanded(
  codec: DumpCodec,
  bytes: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    if (codec === 'none') yield* bytes;
    else if (codec === 'gzip') yield* through(bytes, stageOf(createGunzip()), signal);
    else if (codec === 'zstd') yield* through(bytes, stageOf(createZstdDecompress()), signal);
    else yield* throughProgram(codec, ['-d', '-c'], bytes, signal);
  } catch (error) {
    const isOfCodec = !(error instanceof HoldfastError) || error.code === 'tool.failed';
    throwIfAborted(signal);
    if (!isOfCodec) throw error;
    throw new HoldfastError('archive.damaged', {
      message: `the file is not whole: what is compressed by ${codec} does not expand to its end`,
      hint: 'use another copy of it',
      cause: error,
    });
  }
}

/** What takes bytes and gives others: one transform, or the two ends of a program. */
interface Stage {
  readonly input: Writable;
  readonly output: Readable;
}

async function* through(
  bytes: AsyncIterable<Uint8Array>,
  { input, output }: Stage,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  throwIfAborted(signal);
  const { promise: fed, resolve } = Promise.withResolvers<NodeJS.ErrnoException | null | undefined>();
  pipeline(Readable.from(owned(bytes)), input, resolve);
  try {
    for await (const chunk of output as AsyncIterable<Buffer>) {
      throwIfAborted(signal);
      yield chunk;
    }
  } catch (error) {
    output.destroy();
    input.destroy();
    throw isCause(await fed) ? await fed : error;
  } finally {
    output.destroy();
    input.destroy();
  }
  // A source that failed ends the input of a program, which takes it for all there is.
  const failure = await fed;
  if (isCause(failure)) throw failure;
}

/** The streams tell of one another's ends as well, which is not why one failed. */
function isCause(failure: NodeJS.ErrnoException | null | undefined): failure is NodeJS.ErrnoException {
  return failure instanceof Error && failure.code !== 'ERR_STREAM_PREMATURE_CLOSE';
}

/** A transform is both ends of a stage. */
function stageOf(transform: Duplex): Stage {
  return { input: transform, output: transform };
}

/** A stream reads ahead, and the memory of a chunk is used again after the next one was asked for. */
async function* owned(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) if (chunk.length > 0) yield Buffer.from(chunk);
}

const programs = { bz2: 'bzip2', xz: 'xz' } as const;
const packages = { bz2: 'bzip2', xz: 'xz-utils' } as const;
const lastWordsBytes = 2000;

/** The npm packages for these are stale, or do not compress: the system's programs do. */
async function* throughProgram(
  codec: keyof typeof programs,
  args: readonly string[],
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  throwIfAborted(signal);
  const program = programs[codec];
  const { PATH = '' } = process.env;
  const child = spawn(program, args, { env: { PATH }, stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-lastWordsBytes);
  });
  const ended = once(child, 'close').then(
    ([code]) => ({ code: code as number | null, error: undefined }),
    (error: NodeJS.ErrnoException) => ({ code: null, error }),
  );
  try {
    yield* through(bytes, { input: child.stdin, output: child.stdout }, signal);
    await throwEnding(await ended, { codec, said });
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    // A broken pipe is told by how the program ended.
    await throwEnding(await ended, { codec, said });
    throw error;
  } finally {
    child.kill('SIGKILL');
  }
}

async function throwEnding(
  { code, error }: { readonly code: number | null; readonly error: NodeJS.ErrnoException | undefined },
  { codec, said }: { readonly codec: keyof typeof programs; readonly said: string },
): Promise<void> {
  if (error?.code === 'ENOENT') {
    throw new HoldfastError('tool.not_found', {
      message: `the program ${programs[codec]} is not installed`,
      hint: `install ${packages[codec]}, or choose the compression gzip or zstd`,
      cause: error,
    });
  }
  if (code === 0) return;
  const why = said.trim() || error?.message || `it ended with ${code}`;
  throw new HoldfastError('tool.failed', { message: `${programs[codec]}: ${why}`, cause: error });
}
