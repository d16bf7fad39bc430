/** What reviewers forget: the rules of the code that no type checks. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

interface SourceFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
}

const generated = new Set(['src/archive/heal/kernel-binary.ts']);

const files: readonly SourceFile[] = globSync(['src/**/*.ts', 'test/**/*.ts', 'bin/*.js'], { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => !generated.has(path))
  .sort()
  .map((path) => ({
    path,
    text: readFileSync(join(root, path), 'utf8'),
    isTest: !path.startsWith('src/') || path.endsWith('.test.ts') || path.startsWith('src/testing/'),
  }));
const production = files.filter((file) => !file.isTest);

/** Layers from the bottom to the top: a file imports its own layer and those below. */
const layers: readonly RegExp[] = [
  /^src\/(errors|secret|clock|random|bytes)\.ts$/,
  /^src\/archive\//,
  /^src\/disk\//,
  /^src\/(source|storage|config|policy|notify|queue|history|plain|hook|log|catalogue)\//,
  /^src\/operation\//,
  /^src\/(cli|web)\//,
  /^src\/index\.ts$/,
];

function layerOf(path: string): number {
  return layers.findIndex((layer) => layer.test(path));
}

/** What a file imports: paths of the project, or names of packages. */
function importsOf({ path, text }: SourceFile): string[] {
  const found = text.matchAll(/(?:\bfrom |\bimport\(|^import |new URL\()'([^']+)'/gm);
  return [...found].map(([, name = '']) => (name.startsWith('.') ? posix.join(posix.dirname(path), name) : name));
}

function fail(rule: string, found: readonly string[]): void {
  assert.deepEqual([...found], [], `${rule}:\n  ${found.join('\n  ')}\n`);
}

test('every file has its layer, and imports only its own and those below', () => {
  const found: string[] = [];
  for (const file of production) {
    const layer = layerOf(file.path);
    if (layer < 0) found.push(`${file.path} is in no layer`);
    for (const imported of importsOf(file).filter((name) => name.startsWith('src/'))) {
      if (layerOf(imported) > layer) found.push(`${file.path} imports ${imported}`);
    }
  }
  fail('imports point one way: cli → operation → source, storage, config → disk → archive → errors', found);
});

test('the archive layer has no file system, network or clock', () => {
  const banned = /^node:(fs|net|http|https|http2|tls|dgram|dns)(\/|$)/;
  const found = production
    .filter((file) => file.path.startsWith('src/archive/'))
    .flatMap((file) =>
      importsOf(file)
        .filter((name) => banned.test(name))
        .map((name) => `${file.path} imports ${name}`),
    );
  fail('src/archive is pure', found);
});

test('nothing outside src/testing and the tests imports them', () => {
  // `storage check` runs the contract on the user's own storage.
  const allowed = 'src/operation/check-storage.ts imports src/testing/storage-cases.ts';
  const found = production.flatMap((file) =>
    importsOf(file)
      .filter((name) => `${file.path} imports ${name}` !== allowed)
      .filter((name) => /^src\/testing\/|\.test\.ts$|^test\/|^fast-check$|^node:test$/.test(name))
      .map((name) => `${file.path} imports ${name}`),
  );
  fail('tests stay out of the product', found);
});

/** Lines of a file that match, without comments. */
function linesWith(file: SourceFile, pattern: RegExp): string[] {
  return file.text.split('\n').flatMap((line, index) => {
    const code = line.replace(/(^|\s)(\/\/|\/?\*).*$/, '');
    return pattern.test(code) ? [`${file.path}:${index + 1}: ${line.trim()}`] : [];
  });
}

test('time and randomness come from clock.ts and random.ts', () => {
  const banned =
    /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b|\bMath\.random\b|\brandom(Bytes|FillSync|Fill|Int|UUID)\b/;
  const allowed = new Set(['src/clock.ts', 'src/random.ts']);
  fail(
    'ask Clock and Random',
    production.filter((file) => !allowed.has(file.path)).flatMap((file) => linesWith(file, banned)),
  );
});

test('timers are set in clock.ts alone', () => {
  const banned = /\bset(Timeout|Interval)\(|'node:timers/;
  fail(
    'ask Clock',
    production.filter((file) => file.path !== 'src/clock.ts').flatMap((file) => linesWith(file, banned)),
  );
});

test('no test is left out or runs alone, and nothing is left to do', () => {
  const alone = /\b(test|it|describe|suite)\.(only|skip|todo)\b|\b(only|skip|todo): true\b/;
  const unfinished = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join(''));
  const remarks = files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => (unfinished.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
  fail(
    'a skipped test is no test',
    files.flatMap((file) => linesWith(file, alone)),
  );
  fail('do it, or leave it', remarks);
});

test('errors are thrown as HoldfastError only', () => {
  // In the archive layer a plain Error is a broken invariant; in the browser nobody reads a code.
  const outside = production.filter((file) => !/^src\/(archive|web\/client)\//.test(file.path));
  fail(
    'a code tells why',
    outside.flatMap((file) => linesWith(file, /\bthrow new (Type|Range|Syntax)?Error\(/)),
  );
});

test('a file has 400 lines at most', () => {
  const found = files
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > 400)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
  fail('split it', found);
});

/**
 * Functions longer than a limit: from the line that opens the body to the one that closes it at the same indentation. Groups of
 * tests are no functions.
 */
function longFunctions(text: string, limit: number): { line: number; length: number }[] {
  const lines = text.split('\n');
  const found: { line: number; length: number }[] = [];
  for (const [index, line] of lines.entries()) {
    const isOther = /^\s*(\} )?(else|if|for|while|switch|catch|describe|suite)\b/.test(line);
    const opens = !isOther && (/=> \{$/.test(line) || /\)(: .+)? \{$/.test(line));
    if (!opens) continue;
    const indentation = /^\s*/.exec(line)?.[0] ?? '';
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${indentation}}`));
    const length = end - index + 1;
    if (length > limit) found.push({ line: index + 1, length });
  }
  return found;
}

test('a function has 70 lines at most', () => {
  const found = files.flatMap(({ path, text }) =>
    longFunctions(text, 70).map(({ line, length }) => `${path}:${line}: ${length} lines`),
  );
  fail('split it', found);
});

test('files have exact, kebab-case names', () => {
  const vague = /(^|\/|-)(utils?|helpers?|manager|misc|common)\b/;
  const found = files.map(({ path }) => path).filter((path) => vague.test(path) || !/^[a-z0-9/.-]+$/.test(path));
  fail('name it for what it is', found);
});

test('the length of a function is measured from the line that opens it to the one that closes it', () => {
  const body = '  work();\n'.repeat(3);
  assert.deepEqual(longFunctions(`function a(): void {\n${body}}\n`, 4), [{ line: 1, length: 5 }]);
  assert.deepEqual(longFunctions(`function a(): void {\n${body}}\n`, 5), []);
  assert.deepEqual(longFunctions(`if (a) {\n${body}}\n`, 1), []);
  assert.equal(longFunctions(`const a = () => {\n${body}};\n`, 1).length, 1);
});

/** The declaration that an export of the public API comes from, followed through re-exports. */
function findDeclaration(path: string, name: string): { path: string; documented: boolean } | undefined {
  const text = readFileSync(join(root, path), 'utf8');
  const lines = text.split('\n');
  const at = lines.findIndex((line) =>
    new RegExp(
      `^export (declare |abstract |async )*(function\\*?|class|interface|const|type) ${name}\\b(?! from)`,
    ).test(line),
  );
  if (at >= 0) return { path: `${path}:${at + 1}`, documented: /\*\/$/.test(lines[at - 1] ?? '') };
  const imported = [...text.matchAll(/(?:import|export) (?:type )?\{([^}]*)\} from '([^']+)'/g)].find(
    ([, names = '']) => names.split(',').some((part) => part.trim().replace(/^type /, '') === name),
  );
  if (imported === undefined) return undefined;
  return findDeclaration(posix.join(posix.dirname(path), imported[2] ?? ''), name);
}

for (const entry of ['src/index.ts', 'src/storage/index.ts'])
  test(`every export of ${entry} is documented`, () => {
    const text = readFileSync(join(root, entry), 'utf8');
    const found: string[] = [];
    let count = 0;
    for (const [, names = '', from = ''] of text.matchAll(/export (?:type )?\{([^}]*)\} from '([^']+)'/g)) {
      for (const name of names
        .split(',')
        .map((part) => part.trim().replace(/^type /, ''))
        .filter((part) => part !== '')) {
        const declaration = findDeclaration(posix.join(posix.dirname(entry), from), name);
        count++;
        if (declaration === undefined) found.push(`${name} of ${from} is not declared`);
        else if (!declaration.documented) found.push(`${name} (${declaration.path})`);
      }
    }
    assert.ok(count > (entry === 'src/index.ts' ? 40 : 20), 'the exports were not found');
    fail('TSDoc stands right above the declaration', found);
  });

test('every export of the package has its source', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { readonly types: string; readonly default: string }>;
  };
  const found = Object.values(exports)
    .filter((target) => typeof target !== 'string')
    .flatMap(({ types, default: code }) => [types.replace(/\.d\.ts$/, '.ts'), code.replace(/\.js$/, '.ts')])
    .map((path) => path.replace('./dist/', 'src/'))
    .filter((path) => !files.some((file) => file.path === path));
  fail('package.json names what is not built', found);
});

test('src/index.ts only re-exports', () => {
  const text = readFileSync(join(root, 'src/index.ts'), 'utf8');
  const left = text
    .replace(/\/\*\*[\s\S]*?\*\//g, '')
    .replace(/export (type )?\{[^}]*\} from '[^']+';/g, '')
    .trim();
  assert.equal(left, '');
  const found = production
    .filter(({ path }) => path !== 'src/index.ts' && !path.startsWith('src/testing/'))
    .flatMap((file) => linesWith(file, /^export \* from/));
  fail('nothing else exports what it did not make', found);
});

test('what documentation points to is there', () => {
  const found = globSync('docs/**/*.md', { cwd: root }).flatMap((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link = '']) => link);
    return links
      .filter((link) => globSync(posix.join(dirname(path), link), { cwd: root }).length === 0)
      .map((link) => `${path} points to ${link}`);
  });
  fail('mend the link', found);
});
