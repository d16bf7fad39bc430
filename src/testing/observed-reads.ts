/** For tests of how files are read: as the archive writer reads them, and with other answers of the system. */
import assert from 'node:assert/strict';
import { constants, readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { alignedMemory } from '../archive/worker/aligned-memory.ts';
import { openDirect } from '../disk/direct-io.ts';
import type { SourceEntry } from '../source/source.ts';

/** The size of the pieces in which the archive writer reads a large file. */
export const pieceBytes = 2 * 1024 * 1024;

/** What {@link readEntry} takes. */
export interface ReadOptions {
  /** Memory for each piece; a whole aligned buffer unless set. */
  readonly nextInto?: () => Uint8Array;
  readonly onPiece?: (doneBytes: number) => void;
}

/** Reads an entry as the archive writer does: what is left of a buffer is offered until it is full. */
export async function readEntry(
  entry: SourceEntry,
  options: ReadOptions = {},
): Promise<{ readonly bytes: Buffer; readonly counts: readonly number[] }> {
  const chunks: Buffer[] = [];
  const counts: number[] = [];
  const buffer = alignedMemory(pieceBytes);
  let filledBytes = 0;
  const rest = () => buffer.subarray(filledBytes);
  const bytes = entry.open?.(undefined);
  assert.ok(bytes?.readInto);
  for (let doneBytes = 0; ; ) {
    const into = (options.nextInto ?? rest)();
    const count: number = await bytes.readInto(into);
    assert.ok(count <= into.length);
    if (count === 0) break;
    counts.push(count);
    chunks.push(Buffer.from(into.subarray(0, count)));
    filledBytes = (filledBytes + count) % pieceBytes;
    doneBytes += count;
    options.onPiece?.(doneBytes);
  }
  assert.equal(await bytes.readInto(rest()), 0, 'the end stays the end');
  return { bytes: Buffer.concat(chunks), counts };
}

/** Whether a folder has direct I/O. Linux in CI has to: there a test that is left out is a failure. */
export async function hasDirectIo(t: TestContext, folder: string): Promise<boolean> {
  const handle = await open(join(folder, 'probe'), 'w+');
  const direct = await openDirect(handle, 0);
  await Promise.all([handle.close(), direct?.close()]);
  rmSync(join(folder, 'probe'));
  if (direct !== undefined) return true;
  assert.ok(!process.env['CI'] || process.platform !== 'linux', 'this test has to run in CI');
  t.skip('this file system has no direct I/O');
  return false;
}

function isOpenDirect(fd: number): boolean {
  if (process.platform !== 'linux') return false;
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
  return (Number.parseInt(flags, 8) & constants.O_DIRECT) !== 0;
}

/** What a read that goes past the page cache, or through it, is answered with. */
export type Answer = (isDirect: boolean, offset: number) => Error | number | undefined;

/** Lets `answer` decide what a read gives: an error, so many bytes at most, or what it gives anyway. */
export async function answerReads(t: TestContext, answer: Answer): Promise<void> {
  const handle = await open('.');
  const prototype: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const original = prototype.read as (...given: unknown[]) => Promise<unknown>;
  t.mock.method(prototype, 'read', function read(this: FileHandle, ...given: unknown[]) {
    const [into, start, length, offset] = given as [Uint8Array, number, number, number];
    const answered = answer(isOpenDirect(this.fd), offset);
    if (answered instanceof Error) return Promise.reject(answered);
    return original.call(this, into, start, Math.min(answered ?? length, length), offset);
  });
}

/** An error as a system call gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: it fails, read`), { code, syscall: 'read' });
}
