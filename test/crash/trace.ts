/** Records what a program does to files, as the kernel sees it: `strace`, read back. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

/**
 * One change, in the order in which the kernel had done it. `sync` covers what was done before the change numbered `begunAt` was; all
 * paths are absolute.
 */
export type DiskChange =
  | { readonly kind: 'open'; readonly path: string; readonly isNew: boolean; readonly isEmptied: boolean }
  | { readonly kind: 'write'; readonly path: string; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly path: string; readonly sizeBytes: number }
  | {
      readonly kind: 'copy';
      readonly from: string;
      readonly fromOffset: number;
      readonly path: string;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: 'sync'; readonly path: string; readonly begunAt: number }
  | { readonly kind: 'rename'; readonly from: string; readonly path: string }
  | { readonly kind: 'link'; readonly from: string; readonly path: string }
  | { readonly kind: 'symlink'; readonly target: string; readonly path: string }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'rmdir'; readonly path: string };

const calls = [
  ...['openat', 'creat', 'write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'ftruncate', 'truncate', 'fallocate'],
  ...[
    'rename',
    'renameat',
    'renameat2',
    'link',
    'linkat',
    'unlink',
    'unlinkat',
    'symlink',
    'symlinkat',
    'mkdir',
    'mkdirat',
    'rmdir',
  ],
  ...[
    'fsync',
    'fdatasync',
    'sync_file_range',
    'syncfs',
    'sync',
    'copy_file_range',
    'sendfile',
    'lseek',
    'io_uring_setup',
  ],
];

/** What {@link traceProgram} takes. */
export interface TraceOptions {
  readonly command: readonly string[];
  /** Changes below it are recorded; it is the program's folder too. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs a program to its end, and gives the changes that it made below a folder. Throws where it does not end with 0. */
export function traceProgram({ command, folder, environment }: TraceOptions): DiskChange[] {
  const output = `${folder}.trace`;
  const words = ['-f', '-y', '-xx', '-s', '100000000', '--seccomp-bpf', '-e', `trace=${calls.join(',')}`, '-o', output];
  const { status, stderr, error } = spawnSync('strace', [...words, ...command], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      TMPDIR: join(folder, 'tmp'),
      UV_USE_IO_URING: '0',
      ...environment,
    },
  });
  try {
    if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${stderr} ${error ?? ''}`);
    return readTrace(readFileSync(output, 'latin1'), folder);
  } finally {
    rmSync(output, { force: true });
  }
}

interface Call {
  readonly name: string;
  readonly text: string;
  readonly result: number;
  /** The path of the descriptor that it gave. */
  readonly opened: string | undefined;
  /** How many changes were done when it began. */
  readonly begunAt: number;
}

function decode(text: string): string {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex').toString('utf8');
}

/** Puts the halves of calls together that others came between, and gives all in the order of their ends. */
export function readTrace(trace: string, folder: string): DiskChange[] {
  const reader = new TraceReader(folder);
  const begun = new Map<string, { readonly text: string; readonly begunAt: number }>();
  for (const line of trace.split('\n')) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest)?.[1];
    if (unfinished !== undefined) {
      begun.set(thread, { text: unfinished, begunAt: reader.changes.length });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const first = resumed === undefined ? undefined : begun.get(thread);
    const whole = resumed === undefined ? rest : `${first?.text ?? ''}${resumed}`;
    const [, name, text = '', result, opened] = /^(\w+)\((.*)\) += (-?\d+)(?:<((?:\\x..)*)>)?/.exec(whole) ?? [];
    if (name === undefined) continue;
    const begunAt = first?.begunAt ?? reader.changes.length;
    reader.add({ name, text, result: Number(result), opened: opened && decode(opened), begunAt });
  }
  return reader.changes;
}

const stringPattern = /"((?:\\x[0-9a-f]{2})*)"/g;
const descriptorPattern = /(\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>(?:\(deleted\))?/g;

class TraceReader {
  readonly changes: DiskChange[] = [];
  readonly #folder: string;
  /** Where descriptors stand, by number and path. */
  readonly #positions = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  add(call: Call): void {
    const { name, text, result } = call;
    if (result < 0) return;
    // libuv has a ring for epoll too; the one for files is polled.
    if (name === 'io_uring_setup')
      assert.ok(!text.includes('IORING_SETUP_SQPOLL'), 'files are written by io_uring, which is not seen');
    const descriptors = [...text.matchAll(descriptorPattern)].map(([, number = '', path = '']) => {
      return { number, path: decode(path), key: `${number} ${decode(path)}` };
    });
    if (name === 'openat' || name === 'creat') this.#open(call, descriptors[0]?.path ?? this.#folder);
    else if (name.startsWith('rename') || name.startsWith('link') || name.startsWith('symlink')) this.#names(call);
    else if (name.startsWith('unlink') || name.startsWith('mkdir') || name === 'rmdir') this.#names(call);
    else this.#file(call, descriptors);
  }

  #isInside(path: string): boolean {
    return path === this.#folder || path.startsWith(`${this.#folder}/`);
  }

  #add(change: DiskChange): void {
    if (this.#isInside(change.path)) this.changes.push(change);
  }

  #open({ text, result, opened }: Call, base: string): void {
    const [, path = ''] = stringPattern.exec(text) ?? [];
    stringPattern.lastIndex = 0;
    const whole = opened ?? resolve(base, decode(path));
    this.#positions.set(`${result} ${whole}`, /O_APPEND/.test(text) ? Number.POSITIVE_INFINITY : 0);
    const isNew = /O_CREAT|^creat/.test(text);
    const isEmptied = /O_TRUNC/.test(text);
    if (isNew || isEmptied) this.#add({ kind: 'open', path: whole, isNew, isEmptied });
  }

  /** Calls that change names. Their paths are relative to the folder, or to a descriptor. */
  #names({ name, text }: Call): void {
    const paths = [...text.matchAll(/(?:(?:\d+|AT_FDCWD)<((?:\\x..)*)>, )?"((?:\\x..)*)"/g)].map(
      ([, base = '', path = '']) => resolve(base === '' ? this.#folder : decode(base), decode(path)),
    );
    const [first = '', second = ''] = paths;
    if (name.startsWith('rename')) this.#add({ kind: 'rename', from: first, path: second });
    else if (name.startsWith('symlink')) {
      const [, target = ''] = /"((?:\\x..)*)"/.exec(text) ?? [];
      this.#add({ kind: 'symlink', target: decode(target), path: second });
    } else if (name.startsWith('link')) this.#add({ kind: 'link', from: first, path: second });
    else if (name.startsWith('mkdir')) this.#add({ kind: 'mkdir', path: first });
    else this.#add({ kind: name === 'rmdir' || text.includes('AT_REMOVEDIR') ? 'rmdir' : 'unlink', path: first });
  }

  #file({ name, text, result, begunAt }: Call, descriptors: readonly { path: string; key: string }[]): void {
    const [descriptor, other] = descriptors;
    if (name === 'sync' || name === 'syncfs') throw new Error(`${name} is not modelled`);
    if (descriptor === undefined) return;
    const { path, key } = descriptor;
    // The flags of the one come last.
    const last = () => Number(/(\d+)$/.exec(name === 'pwritev2' ? text.replace(/, [^,]*$/, '') : text)?.[1]);
    if (name === 'fsync' || name === 'fdatasync') this.#add({ kind: 'sync', path, begunAt });
    else if (name === 'lseek') this.#positions.set(key, result);
    else if (name === 'ftruncate') this.#add({ kind: 'truncate', path, sizeBytes: Number(/(\d+)$/.exec(text)?.[1]) });
    else if (name === 'copy_file_range' && other !== undefined) this.#copy(text, result, descriptor, other);
    else if (name === 'write' || name === 'writev' || name.startsWith('pwrite')) {
      const hex = [...text.matchAll(stringPattern)].map(([, bytes = '']) => bytes.replaceAll('\\x', '')).join('');
      const bytes = Buffer.from(hex, 'hex').subarray(0, result);
      const isPlaced = name.startsWith('pwrite');
      const offset = isPlaced ? last() : (this.#positions.get(key) ?? 0);
      if (!isPlaced && Number.isFinite(offset)) this.#positions.set(key, offset + result);
      this.#add({ kind: 'write', path, offset, bytes });
    } else if (this.#isInside(path)) throw new Error(`${name} is not modelled`);
  }

  #copy(text: string, length: number, from: { path: string; key: string }, to: { path: string; key: string }): void {
    const offsets = [...text.matchAll(/>, (NULL|\[(\d+)\])/g)].map(([, , offset]) => offset);
    const place = (offset: string | undefined, key: string) => {
      if (offset !== undefined) return Number(offset);
      const position = this.#positions.get(key) ?? 0;
      this.#positions.set(key, position + length);
      return position;
    };
    const fromOffset = place(offsets[0], from.key);
    const offset = place(offsets[1], to.key);
    this.#add({ kind: 'copy', from: from.path, fromOffset, path: to.path, offset, length });
  }
}
