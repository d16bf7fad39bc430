import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { programEnvironment } from '../../test/program-environment.ts';
import { requireProgram } from '../../test/services/find-program.ts';
import { leftOut } from '../../test/services/service-packages.ts';
import type { CommandContext } from './command-context.ts';
import { complete } from './completion.ts';
import { buildProgram } from './program.ts';

const names = { storages: async () => ['near', 'far'], jobs: async () => ['backup', 'backup:crm'] };

async function completed(...words: string[]) {
  const { files, candidates } = await complete(await buildProgram({} as CommandContext), words, names);
  return { files, values: candidates.map(({ value }) => value) };
}

const words = (...values: string[]) => ({ files: false, values });
const files = { files: true, values: [] };

test('commands, options, choices and names are completed', async () => {
  assert.deepEqual(await completed('ver'), words('verify'));
  assert.deepEqual(await completed('config', 's'), words('show', 'schema'));
  assert.deepEqual(await completed('backup', '--comp'), words('--compression'));
  assert.deepEqual(await completed('backup', '--compression', 'z'), words('zstd'));
  assert.deepEqual(await completed('backup', '--compression=z'), words('--compression=zstd'));
  assert.deepEqual(await completed('backup', '--storage', ''), words('near', 'far'));
  assert.deepEqual(await completed('backup', '--json', '--storage=f'), words('--storage=far'));
  assert.deepEqual(await completed('backup', '--job', 'backup:'), words('backup:crm'));
  assert.deepEqual(await completed('storage', 'check', ''), words('near', 'far'));
  assert.deepEqual(await completed('sync', '--from', 'n'), words('near'));
  assert.deepEqual(await completed('completion', 'z'), words('zsh'));
});

test('names of files fit where a path is wanted, and nowhere else', async () => {
  assert.deepEqual(await completed('verify', ''), files);
  assert.deepEqual(await completed('list', 'a', ''), files);
  assert.deepEqual(await completed('backup', '--output', ''), files);
  assert.deepEqual(await completed('backup', '--output='), { files: true, values: [] });
  assert.deepEqual(await completed('verify', '--', '-x'), files);
  for (const line of [
    ['runs', ''],
    ['nonsense', ''],
    ['config', 'show', ''],
    ['backup', '--copies', ''],
    ['runs', '--none='],
  ]) {
    assert.deepEqual(await completed(...line), words(), line.join(' '));
  }
});

test('every command and every option with two dashes is completed', async () => {
  const check = async (command: Command, path: readonly string[]): Promise<void> => {
    const { values } = await completed(...path, '--');
    for (const { long } of command.options) assert.ok(values.includes(long ?? ''), `${path.join(' ')} ${long}`);
    assert.ok(values.includes('--help'), path.join(' '));
    if (command.commands.length === 0) return;
    const { values: children } = await completed(...path, '');
    // What is hidden is for the program itself.
    for (const child of command.createHelp().visibleCommands(command)) {
      if (child.name() === 'help') continue;
      assert.ok(children.includes(child.name()), `${path.join(' ')} ${child.name()}`);
      await check(child, [...path, child.name()]);
    }
  };
  await check(await buildProgram({} as CommandContext), []);
});

/** A folder with a configuration, and a program that the shells find. */
let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-completion-'));
  const program = fileURLToPath(new URL('../../test/transcript/holdfast.ts', import.meta.url));
  await writeFile(join(folder, 'holdfast'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(join(folder, 'holdfast'), 0o755);
  const local = (path: string) => ({ backend: 'local', path });
  const crm = { alias: 'crm', url: 'sqlite:crm.db', scheduleOverride: { intervalHours: 6 } };
  const storage = { near: local('a'), far: local('b') };
  await writeFile(join(folder, 'holdfast.config.json'), JSON.stringify({ databases: [crm], files: ['.'], storage }));
});
after(() => rm(folder, { recursive: true }));

function inShell(shell: string, script: string): string {
  const path = `${folder}:${process.env['PATH']}`;
  const { status, stdout, stderr } = spawnSync(
    requireProgram(shell),
    shell === 'zsh' ? ['-f', '-c', script] : ['-c', script],
    {
      cwd: folder,
      encoding: 'utf8',
      env: { ...programEnvironment(), PATH: path, HOME: folder, TERM: 'dumb' },
      timeout: 60_000,
    },
  );
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test('bash completes', () => {
  const line = (...parts: string[]) =>
    `COMP_WORDS=(${parts.map((part) => `'${part}'`).join(' ')}); COMP_CWORD=${parts.length - 1}; _holdfast; echo "\${COMPREPLY[*]}"`;
  const output = inShell(
    'bash',
    [
      'eval "$(holdfast completion bash)"; complete -p holdfast',
      line('holdfast', 'ver'),
      line('holdfast', 'backup', '--storage', ''),
      // As bash breaks them: at = and :.
      line('holdfast', 'backup', '--compression', '=', 'z'),
      line('holdfast', 'backup', '--job', 'backup', ':', 'c'),
      line('holdfast', 'verify', ''),
    ].join('\n'),
  );
  assert.deepEqual(output.split('\n'), ['complete -F _holdfast holdfast', 'verify', 'near far', 'zstd', 'crm', '', '']);
});

test('fish completes', { skip: leftOut('fish') }, () => {
  const output = inShell(
    'fish',
    [
      'holdfast completion fish | source',
      'complete -C "holdfast ver"',
      'complete -C "holdfast backup --compression=z"',
      'complete -C "holdfast backup --storage "',
      'complete -C "holdfast verify holdfast.c"',
    ].join('\n'),
  );
  const values = output.split('\n').map((line) => line.split('\t')[0]);
  assert.deepEqual(values, ['verify', '--compression=zstd', 'far', 'near', 'holdfast.config.json', '']);
});

test('zsh completes', { skip: leftOut('zsh') }, () => {
  // A zsh with a terminal of its own: the tab key is pressed, then a key that prints the line as it stands.
  const tab = (line: string) =>
    `zpty -w -n shell $'${line}\\t\\C-x'; zpty -r shell shown $'*<<*>>*'; echo "\${\${shown##*<<}%%>>*}"; zpty -w -n shell $'\\C-u'`;
  const output = inShell(
    'zsh',
    [
      'zmodload zsh/zpty; zpty shell zsh -f -i',
      String.raw`zpty -w shell "autoload -Uz compinit; compinit -u -D; source <(holdfast completion zsh); show() { print -r -- '<''<'\$BUFFER'>''>' }; zle -N show; bindkey '^X' show; print rea''dy"`,
      "zpty -r shell shown $'*ready*'",
      tab('holdfast ver'),
      tab('holdfast backup --compression=z'),
      tab('holdfast backup --storage n'),
      tab('holdfast backup --job backup:'),
      tab('holdfast verify holdfast.c'),
    ].join('\n'),
  );
  assert.deepEqual(
    output.split('\n').map((line) => line.trim()),
    [
      'holdfast verify',
      'holdfast backup --compression=zstd',
      'holdfast backup --storage near',
      'holdfast backup --job backup:crm',
      'holdfast verify holdfast.config.json',
      '',
    ],
  );
});
