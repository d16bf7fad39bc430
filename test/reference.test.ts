/** The reference pages say what the code says. `HOLDFAST_WRITE_REFERENCE=1` writes the generated parts anew. */
import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import type { CommandContext } from '../src/cli/command-context.ts';
import { buildProgram } from '../src/cli/program.ts';
import { errorTable } from '../src/errors.ts';
import { typeTable } from '../src/source/model/restore/map-type.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const errorsPage = 'docs/reference/errors.md';
const commandsPage = 'docs/reference/cli.md';
const enginesPage = 'docs/reference/cross-engine.md';

/** Compares the generated part of a page, between its marks, with what the code gives. */
function checkGenerated(path: string, name: string, expected: string): void {
  const file = join(root, path);
  const page = readFileSync(file, 'utf8');
  const mark = `<!-- generated: ${name} -->\n`;
  const start = page.indexOf(mark) + mark.length;
  const end = page.indexOf('<!-- end -->', start);
  assert.ok(start >= mark.length && end >= start, `${path} has no generated part ${name}`);
  if (process.env['HOLDFAST_WRITE_REFERENCE'] === '1') {
    writeFileSync(file, page.slice(0, start) + expected + page.slice(end));
  } else {
    assert.equal(page.slice(start, end), expected, `${path} is not what the code says: HOLDFAST_WRITE_REFERENCE=1`);
  }
}

test('the page of errors lists the table of errors', () => {
  const rows = Object.entries(errorTable).map(([code, { exitCode, httpStatus, retryable, message, hint }]) =>
    [`\`${code}\``, exitCode, httpStatus, retryable ? 'yes' : 'no', message, hint].join(' | '),
  );
  const head = ['code | exit | HTTP | again | meaning | what to do', '--- | --- | --- | --- | --- | ---'];
  checkGenerated(errorsPage, 'errors', [...head, ...rows].map((row) => `| ${row} |\n`).join(''));
});

test('every exit code of the table is on the page', () => {
  const page = readFileSync(join(root, errorsPage), 'utf8');
  for (const { exitCode } of Object.values(errorTable)) assert.match(page, new RegExp(`^\\| ${exitCode} \\| `, 'm'));
});

test('every code of the table is used, and every code used is in the table', () => {
  const used = new Set<string>(['usage.node_too_old']);
  const words = new Set<string>();
  const paths = globSync('src/**/*.ts', { cwd: root }).filter((path) => !path.endsWith('.test.ts'));
  for (const path of paths.filter((name) => name.replaceAll('\\', '/') !== 'src/errors.ts')) {
    const text = readFileSync(join(root, path), 'utf8');
    for (const [, code = ''] of text.matchAll(/new HoldfastError\(\s*'([^']+)'/g)) used.add(code);
    for (const [, word = ''] of text.matchAll(/'([a-z]+\.[a-z_]+)'/g)) words.add(word);
  }
  const codes = Object.keys(errorTable);
  assert.deepEqual(
    [...used].filter((code) => !codes.includes(code)),
    [],
    'codes that the table does not have',
  );
  assert.deepEqual(
    codes.filter((code) => !used.has(code) && !words.has(code)),
    [],
    'codes that nothing uses',
  );
});

test('the executable and the table tell the same of an old Node', () => {
  const text = readFileSync(join(root, 'bin/holdfast.js'), 'utf8');
  const { message, hint, exitCode } = errorTable['usage.node_too_old'];
  assert.ok(text.includes(message) && text.includes(hint));
  assert.match(text, new RegExp(`process\\.exitCode = ${exitCode};`));
});

/** A cell of a table of Markdown. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function describeCommand(command: Command, parents: readonly string[]): string {
  const path = [...parents, command.name()];
  if (command.commands.length > 0) return command.commands.map((child) => describeCommand(child, path)).join('');
  const options = command.options.map((option) => {
    const choices = option.argChoices ? `: ${option.argChoices.map((choice) => `\`${choice}\``).join(', ')}` : '';
    return `| \`${option.flags}\` | ${cell(option.description)}${choices} |\n`;
  });
  const table = options.length > 0 ? `\n| option | meaning |\n| --- | --- |\n${options.join('')}` : '';
  const usage = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return ` ${argument.required ? `<${name}>` : `[${name}]`}`;
  });
  return `### \`${path.join(' ')}${usage.join('')}\`\n\n${command.description()}\n${table}\n`;
}

test('the page of the command line lists every command and option', async () => {
  const program = await buildProgram({} as CommandContext);
  const text = program.commands.map((command) => describeCommand(command, ['holdfast'])).join('');
  checkGenerated(commandsPage, 'commands', text);
});

test('the page of engines lists what each type becomes', () => {
  const head = ['type | PostgreSQL | MySQL and MariaDB | SQLite | to know', '--- | --- | --- | --- | ---'];
  const rows = typeTable().map((row) => row.join(' | '));
  checkGenerated(enginesPage, 'types', [...head, ...rows].map((row) => `| ${row} |\n`).join(''));
});

test('every option and every command is described', async () => {
  const check = (command: Command): void => {
    assert.notEqual(command.description(), '', command.name());
    for (const option of command.options) assert.notEqual(option.description, '', `${command.name()} ${option.flags}`);
    for (const child of command.commands) check(child);
  };
  check(await buildProgram({} as CommandContext));
});
