import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import type { HoldfastError } from '../errors.ts';
import { askNewPassphrase, askPassphrase, askYes } from './ask.ts';

function fakeTerminal() {
  const shown: string[] = [];
  const modes: boolean[] = [];
  const input = Object.assign(new PassThrough(), { setRawMode: (enabled: boolean) => modes.push(enabled) });
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      shown.push(String(chunk));
      done();
    },
  });
  return { shown, modes, terminal: { input, output, close: () => undefined } };
}

const { signal } = new AbortController();
const hasCode = (code: string) => (error: HoldfastError) => error.code === code;

test('a passphrase is read key by key and never shown', async () => {
  const { shown, modes, terminal } = fakeTerminal();
  const answer = askPassphrase(terminal, 'passphrase', signal);
  terminal.input.write('wrong\u0015');
  // A character may come in pieces, and cursor keys among the text.
  terminal.input.write(Buffer.from([0x67, 0xc3]));
  terminal.input.write(Buffer.from([0xbc]));
  terminal.input.write('n\x1b[D\x1bOAx\u007f\t\r');
  assert.equal((await answer).reveal(), 'gün');
  assert.deepEqual(shown, ['passphrase: ', '\n']);
  assert.deepEqual(modes, [true, false]);
});

test('a new passphrase is asked for twice, also when both come in one paste', async () => {
  const { terminal } = fakeTerminal();
  terminal.input.write('same\nsame\n');
  assert.equal((await askNewPassphrase(terminal, 'new passphrase', signal)).reveal(), 'same');
});

test('two different passphrases, and an empty one, are refused', async () => {
  const { terminal } = fakeTerminal();
  terminal.input.write('one\ntwo\n');
  await assert.rejects(askNewPassphrase(terminal, 'new passphrase', signal), hasCode('key.invalid'));
  terminal.input.write('\n');
  await assert.rejects(askPassphrase(terminal, 'passphrase', signal), hasCode('key.invalid'));
});

test('Ctrl-C, the end of input and a signal end the question, and the terminal is itself again', async () => {
  const endings: ((input: PassThrough, stop: AbortController) => void)[] = [
    (input) => input.write('abc\u0003'),
    (input) => input.write('\u0004'),
    (input) => input.end(),
    (_, stop) => stop.abort(),
  ];
  for (const end of endings) {
    const { modes, terminal } = fakeTerminal();
    const stop = new AbortController();
    const answer = askPassphrase(terminal, 'passphrase', stop.signal);
    end(terminal.input, stop);
    await assert.rejects(answer, hasCode('operation.interrupted'));
    assert.deepEqual(modes, [true, false]);
  }
});

test('only a yes is a yes', async () => {
  const answers: [string, boolean][] = [
    ['y', true],
    ['YES', true],
    [' yes ', true],
    ['', false],
    ['n', false],
    ['yep', false],
  ];
  for (const [typed, expected] of answers) {
    const { terminal } = fakeTerminal();
    terminal.input.write(`${typed}\r`);
    assert.equal(await askYes(terminal, 'Restore?', signal), expected, JSON.stringify(typed));
  }
});
