import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandContext } from './command-context.ts';
import { buildProgram, runCommandLine } from './program.ts';

async function run(...commandLine: string[]) {
  const out: string[] = [];
  const error: string[] = [];
  const context: CommandContext = {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => error.push(text) },
    environment: {},
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    signal: new AbortController().signal,
    openTerminal: () => undefined,
    runCommand: () => assert.fail('no command runs another'),
    exitCode: 0,
  };
  const exitCode = await runCommandLine(commandLine, context);
  return { exitCode, out: out.join(''), error: error.join('') };
}

const mistakes: { line: string[]; message: RegExp; hint?: RegExp }[] = [
  { line: ['bakcup'], message: /unknown command 'bakcup'/, hint: /did you mean backup\?/ },
  { line: ['verify'], message: /missing required argument 'archive'/ },
  { line: ['verify', 'a', 'b'], message: /too many arguments/ },
  { line: ['verify', 'a', '--levle', 'contents'], message: /unknown option '--levle'/, hint: /did you mean --level\?/ },
  {
    line: ['verify', 'a', '--level', 'deep'],
    message: /'deep' is invalid: Allowed choices are structure, contents \[/,
  },
  { line: ['backup', '--copies', '0'], message: /a whole number from 1 to 8/ },
  { line: ['backup', '--copies', '9'], message: /a whole number from 1 to 8/ },
  { line: ['backup', '--copies', '1.5'], message: /a whole number from 1 to 8/ },
  { line: ['backup', '--threads', '65'], message: /a whole number from 1 to 64/ },
  { line: ['backup', '--compression', 'lz4'], message: /'lz4' is invalid/ },
  { line: ['backup', '--passphrase', 'a', '--passphrase-file', 'b'], message: /cannot be used with/ },
  { line: ['backup', '--files', '.'], message: /where the archive goes/, hint: /--output/ },
  {
    line: ['backup', '--files', '.', '--output', 'x', '--encryption', 'none', '--passphrase', 'p'],
    message: /a key is given/,
  },
  { line: ['restore', 'a'], message: /has to be confirmed/, hint: /--dry-run/ },
  { line: ['key', 'remove', 'a', 'b'], message: /has to be confirmed/, hint: /--yes/ },
];

test('every mistake on the command line is one line and a hint, with exit code 2', async () => {
  for (const { line, message, hint } of mistakes) {
    const { exitCode, out, error } = await run(...line);
    assert.equal(exitCode, 2, line.join(' '));
    assert.equal(out, '');
    assert.match(error, /^holdfast: .* \[usage\.invalid\]\nhint: .*\n$/, line.join(' '));
    assert.match(error, message);
    if (hint !== undefined) assert.match(error, hint);
  }
});

test('with --json a mistake is an object on stdout; after -- it is an argument', async () => {
  const { exitCode, out, error } = await run('verify', '--json', '--level', 'deep', 'a');
  assert.equal(exitCode, 2);
  assert.equal(error, '');
  assert.equal(JSON.parse(out).error.code, 'usage.invalid');
  assert.equal((await run('verify', '--', 'a', '--json')).out, '');
});

test('help that is asked for is a result; help for lack of a command is a mistake', async () => {
  const asked = await run('help', 'restore');
  assert.equal(asked.exitCode, 0);
  assert.match(asked.out, /--files-to <folder>/);
  assert.equal((await run('--help')).exitCode, 0);
  const bare = await run();
  assert.equal(bare.exitCode, 2);
  assert.equal(bare.out, '');
  assert.match(bare.error, /Usage: holdfast/);
});

test('the help of --passphrase warns of the process list', async () => {
  assert.match(
    (await run('help', 'backup')).out.replace(/\s+/g, ' '),
    /--passphrase <text> .* can see it in the process list/,
  );
});

test('a command that is built alone is the one of the whole program', async () => {
  const context = {} as CommandContext;
  const { commands } = await buildProgram(context);
  assert.ok(commands.length > 30);
  for (const whole of commands) {
    const alone = (await buildProgram(context, whole.name())).commands.find((one) => one.name() === whole.name());
    assert.equal(alone?.helpInformation(), whole.helpInformation());
  }
  assert.ok((await buildProgram(context, 'backup')).commands.length < 3);
  assert.equal((await buildProgram(context, 'bakcup')).commands.length, commands.length);
});
