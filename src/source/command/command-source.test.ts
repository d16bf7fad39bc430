import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { isRunning } from '../../disk/process-life.ts';
import { type ErrorCode, HoldfastError } from '../../errors.ts';
import { collectSource, sourceCases } from '../../testing/source-cases.ts';
import { CommandSource, type CommandSourceOptions } from './command-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-command-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const shell = (line: string, more: Partial<CommandSourceOptions> = {}) =>
  new CommandSource({ name: 'cache', command: ['sh', '-c', line], ...more });

function isError(code: ErrorCode, pattern: RegExp) {
  return (error: unknown) => error instanceof HoldfastError && error.code === code && pattern.test(error.message);
}

/** Waits until a program has written its number to a file. */
async function processIdIn(path: string): Promise<number> {
  for (;;) {
    try {
      const text = readFileSync(path, 'utf8');
      if (text.endsWith('\n')) return Number(text);
    } catch {
      // Not there yet.
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function untilGone(processId: number): Promise<void> {
  while (isRunning(processId)) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until this process has asked for the end of one that it started. */
async function untilReaped(processId: number): Promise<void> {
  for (;;) {
    try {
      process.kill(processId, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('contract of CommandSource', () => {
  const large = join(folder, 'large');
  writeFileSync(large, Buffer.alloc(3_000_000, 'x'));
  const subject = {
    prefix: 'databases/',
    make: async () => new CommandSource({ name: 'large', command: ['cat', large] }),
    makeMissing: async () => new CommandSource({ name: 'large', command: ['holdfast-no-such-program'] }),
  };
  const other: Readonly<Record<string, string>> = {
    'describes itself as often as it is asked, and writes nothing': 'nobody knows how much a program will write',
    'throws source.not_found for what is not there, when described and when read': 'it is tool.not_found, see below',
  };
  for (const name of Object.keys(other)) assert.ok(sourceCases.some((one) => one.name === name));
  for (const { name, run } of sourceCases.filter((one) => !(one.name in other))) it(name, () => run(subject));

  it('a program that is not there is told before anything is read', async () => {
    const source = await subject.makeMissing();
    const context = { report: () => {}, temporaryFolder: folder };
    await assert.rejects(source.describe(context), isError('tool.not_found', /holdfast-no-such-program/));
  });
});

describe('CommandSource', () => {
  it('gives the output as one entry, with arguments as they are', async () => {
    const source = new CommandSource({ name: 'x', command: ['printf', '%s|%s', 'a b', '$HOME'] });
    const { entries } = await collectSource(source);
    assert.deepEqual(
      entries.map(({ path, kind, bytes, metadata }) => [path, kind, bytes.toString(), metadata]),
      [['databases/x/stream', 'stream', 'a b|$HOME', { engine: 'command', program: 'printf' }]],
    );
  });

  it('fails with what the program said last, whatever it wrote before', async () => {
    const line = 'echo data; echo first >&2; yes filler | head -c 100000 >&2; echo; echo no space left >&2; exit 7';
    await assert.rejects(collectSource(shell(line)), (error) => {
      assert.ok(isError('tool.failed', /^sh ended with exit code 7: .*no space left$/)(error), String(error));
      assert.ok(error instanceof Error && !error.message.includes('first') && error.message.length < 1100);
      return true;
    });
  });

  it('fails when the program is killed', async () => {
    await assert.rejects(collectSource(shell('echo data; kill -KILL $$')), isError('tool.failed', /SIGKILL/));
  });

  it('judges the size and the end mark, on both sides of their limits', async () => {
    await assert.rejects(collectSource(shell('true')), isError('source.incomplete', /0 bytes/));
    const four = 'printf 1234';
    await collectSource(shell(four, { minimumSizeBytes: 4 }));
    await assert.rejects(collectSource(shell(four, { minimumSizeBytes: 5 })), isError('source.incomplete', /5 are/));
    const marked = (after_: number) => `printf 'x-- done'; head -c ${after_} /dev/zero`;
    const endMark = '-- done';
    await collectSource(shell(marked(4096 - endMark.length), { endMark }));
    await assert.rejects(
      collectSource(shell(marked(4097 - endMark.length), { endMark })),
      isError('source.incomplete', /end mark/),
    );
  });

  it('gives the program the variables that are named, and no others', async () => {
    process.env['HOLDFAST_TEST_NAMED'] = 'canary-1';
    process.env['HOLDFAST_TEST_OTHER'] = 'canary-2';
    try {
      const { entries } = await collectSource(shell('env', { environment: ['HOLDFAST_TEST_NAMED'] }));
      const text = String(entries[0]?.bytes);
      assert.ok(text.includes('canary-1') && text.includes('PATH=') && !text.includes('canary-2'), text);
      const telling = shell('env >&2; echo redis://u:pass-word@h >&2; exit 1', {
        environment: ['HOLDFAST_TEST_NAMED'],
      });
      await assert.rejects(collectSource(telling), (error) => {
        assert.ok(error instanceof Error);
        assert.doesNotMatch(error.message, /canary|pass-word/);
        assert.match(error.message, /HOLDFAST_TEST_NAMED=\[redacted\].*redis:\/\/u:\[redacted\]@h/);
        return true;
      });
      const missing = shell('true', { environment: ['HOLDFAST_TEST_UNSET'] });
      await assert.rejects(collectSource(missing), isError('usage.invalid', /HOLDFAST_TEST_UNSET/));
    } finally {
      delete process.env['HOLDFAST_TEST_NAMED'];
      delete process.env['HOLDFAST_TEST_OTHER'];
    }
  });

  it('ends the program and what it started when the run is aborted', async () => {
    const file = join(folder, 'inner');
    const controller = new AbortController();
    const source = shell(`sh -c 'trap "" TERM; echo $$ > ${file}; exec sleep 600' & echo data; wait`);
    const reading = collectSource(source, {
      signal: controller.signal,
      onChunk: () => processIdIn(file).then(() => {}),
    });
    const inner = await processIdIn(file);
    controller.abort();
    await assert.rejects(reading, isError('operation.interrupted', /./));
    await untilGone(inner);
  });

  it('ends the program when its time is up', async () => {
    const file = join(folder, 'slow');
    const source = shell(`echo $$ > ${file}; echo data; exec sleep 600`, { timeoutMs: 3_000 });
    await assert.rejects(collectSource(source), isError('tool.timeout', /sh did not end within 3 s/));
    await untilGone(await processIdIn(file));
  });

  describe('that leaves a program running', () => {
    /** Its own number and that of the program that it leaves. */
    const leaving = (name: string, redirection = '') => {
      const [own, left] = [join(folder, `${name}-own`), join(folder, `${name}-left`)];
      const line = `sleep 600 ${redirection} & echo $! > ${left}; echo $$ > ${own}; echo data`;
      return { line, own: () => processIdIn(own), left: () => processIdIn(left) };
    };

    it('ends that one too when the time is up', async () => {
      const { line, left } = leaving('limit');
      await assert.rejects(collectSource(shell(line, { timeoutMs: 2_000 })), isError('tool.timeout', /within 2 s/));
      await untilGone(await left());
    });

    it('ends that one too when the run is aborted', async () => {
      const { line, own, left } = leaving('aborted');
      const controller = new AbortController();
      const reading = collectSource(shell(line, { timeoutMs: 60_000 }), { signal: controller.signal });
      await untilReaped(await own());
      controller.abort();
      await assert.rejects(reading, isError('operation.interrupted', /./));
      await untilGone(await left());
    });

    it('ends that one too when its output is given up', async () => {
      const { line, own, left } = leaving('given-up');
      const source = shell(line);
      for await (const entry of source.entries({ report: () => {}, temporaryFolder: folder })) {
        for await (const _ of entry.open?.(undefined) ?? []) {
          await untilReaped(await own());
          break;
        }
      }
      await source.close();
      await untilGone(await left());
    });

    it('lets it run when it does not hold the output', async () => {
      const { line, left } = leaving('daemon', '> /dev/null 2>&1');
      const source = shell(line);
      const { entries } = await collectSource(source);
      await source.close();
      assert.equal(String(entries[0]?.bytes), 'data\n');
      assert.ok(isRunning(await left()));
      process.kill(await left(), 'SIGKILL');
    });
  });

  it('reads no further than what is asked for', async () => {
    const source = new CommandSource({ name: 'x', command: ['yes'] });
    const context = { report: () => {}, temporaryFolder: folder };
    const before = process.memoryUsage().rss;
    for await (const entry of source.entries(context)) {
      let sizeBytes = 0;
      for await (const chunk of entry.open?.(undefined) ?? []) {
        sizeBytes += chunk.length;
        if (sizeBytes > 1_000_000) break;
      }
    }
    await source.close();
    assert.ok(process.memoryUsage().rss - before < 50_000_000);
  });
});
