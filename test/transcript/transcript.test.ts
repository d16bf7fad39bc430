import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runHere } from '../end-to-end/command-line.ts';
import { programEnvironment } from '../program-environment.ts';
import { outputPattern, parseTranscript, type Step } from './parse-transcript.ts';
import { stepActions } from './steps.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

interface Result {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
}

/** One transcript on its way: where its commands run, and what they are given. */
interface Scene {
  readonly folder: string;
  readonly environment: Record<string, string>;
  /** The configuration that commands in this process read first: one that is a module is not read again. */
  readHere?: string;
}

/** Runs the command line in a process of its own, without a terminal that it could ask on. */
async function runProcess(words: readonly string[], { folder, environment }: Scene): Promise<Result> {
  const child = spawn(process.execPath, [join(here, 'holdfast.ts'), ...words], {
    cwd: folder,
    env: { ...programEnvironment(), ...environment },
    // A session of its own has no controlling terminal.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject));
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { stdout, stderr, exitCode };
}

/** Commands that were seen to end in a process of their own, with the code that they ended with. */
const seen = new Set<string>();

/** The first of each command that ends in one way has a process of its own; the others run in this one, which starts sooner. */
async function runHoldfast({ words: [, ...words], exitCode }: Step, scene: Scene): Promise<Result> {
  const command = `${words.filter((word) => /^[a-z]+$/.test(word)).slice(0, 2)} ${exitCode}`;
  const configurationPath = join(scene.folder, 'holdfast.config.ts');
  const configuration = existsSync(configurationPath) ? readFileSync(configurationPath, 'utf8') : '';
  const isAnother = configuration !== (scene.readHere ?? configuration);
  if (isAnother || !seen.has(command)) {
    seen.add(command);
    return await runProcess(words, scene);
  }
  scene.readHere = configuration;
  return await runInThisProcess(words, scene);
}

async function runInThisProcess(words: readonly string[], { folder, environment }: Scene): Promise<Result> {
  const [startFolder, startEnvironment] = [process.cwd(), process.env];
  process.chdir(folder);
  process.env = { ...programEnvironment(), ...environment };
  try {
    return await runHere(words, { environment: process.env });
  } finally {
    process.chdir(startFolder);
    process.env = startEnvironment;
  }
}

async function runStep(step: Step, scene: Scene): Promise<void> {
  const [name = '', ...words] = step.words;
  if (name === 'env') {
    const [, variable = '', value = ''] = /^([^=]+)=(.*)$/.exec(words[0] ?? '') ?? [];
    scene.environment[variable] = value;
    return;
  }
  const action = stepActions[name];
  if (action === undefined) assert.equal(name, 'holdfast', 'a step that is not known');
  const { stdout, stderr, exitCode } = action
    ? { stdout: action(scene.folder, ...words) ?? '', stderr: '', exitCode: 0 }
    : await runHoldfast(step, scene);
  const shown = `exit code ${exitCode}\n--- stdout\n${stdout}--- stderr\n${stderr}`;
  assert.equal(exitCode, step.exitCode, shown);
  assert.match(stdout, outputPattern(step.stdout), shown);
  assert.match(stderr, outputPattern(step.stderr), shown);
}

for (const name of (await readdir(here)).filter((file) => file.endsWith('.txt')).sort()) {
  test(`transcript ${name}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-transcript-'));
    const scene: Scene = { folder, environment: {} };
    try {
      const steps = parseTranscript(await readFile(join(here, name), 'utf8'));
      assert.ok(steps.length > 0, 'the transcript is empty');
      for (const step of steps) {
        try {
          await runStep(step, scene);
        } catch (cause) {
          const { message } = cause as Error;
          throw new Error(`${name}:${step.lineNumber}: ${step.words.join(' ')}\n${message}`, { cause });
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

test('a transcript is read line by line, and its wildcards match no more than they say', () => {
  const [step] = parseTranscript('# comment\n$ holdfast list \'a b\' --x="c"\n= 3\n> one … two\n> …\n! note\n');
  assert.deepEqual(step?.words, ['holdfast', 'list', 'a b', '--x=c']);
  assert.equal(step?.exitCode, 3);
  assert.deepEqual(step?.stderr, ['note']);
  const pattern = outputPattern(step?.stdout ?? []);
  assert.match('one 1 two\n', pattern);
  assert.match('one 1 two\nmore\nand more\n', pattern);
  assert.doesNotMatch('one\n1 two\n', pattern);
  assert.doesNotMatch('one 1 two', pattern);
  assert.doesNotMatch('x\n', outputPattern([]));
  assert.throws(() => parseTranscript('> output of nothing\n'), /line 1/);
});
