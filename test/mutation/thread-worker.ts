/**
 * Runs test files in a thread: with one source file changed, what depends on it is loaded anew, and all else stays as it is. It has what tests use of
 * `node:test`. Modules of packages and of Node are those of the thread.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname } from 'node:path';
import { mock } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { type Module, SourceTextModule, SyntheticModule } from 'node:vm';
import { parentPort } from 'node:worker_threads';

/** Whether a test file passes with another text of a source file. Paths are absolute. */
export interface ThreadTask {
  readonly testFile: string;
  readonly file: string;
  readonly text: string;
}

type Work = (context: { readonly mock: typeof mock }) => unknown;

/** The tests of the file at hand, and what comes after them. */
let tests: Work[] = [];
let afterAll: Work[] = [];

const register = (_: string, ...rest: readonly unknown[]): void => {
  const work = rest.at(-1);
  if (typeof work === 'function') tests.push(work as Work);
};

const nodeTest = {
  test: register,
  it: register,
  describe: (_: string, define: () => void) => define(),
  after: (work: Work) => afterAll.push(work),
  mock,
};

/** The assertions, of which those that fail most do not spend seconds on a difference that nobody reads. */
const quickAssert = Object.assign((value: unknown) => assert(value), assert, {
  deepEqual: (actual: unknown, expected: unknown) => assert(isDeepStrictEqual(actual, expected)),
});

interface Source {
  readonly code: string;
  /** Files that it imports. */
  readonly imports: readonly string[];
}

const sources = new Map<string, Source>();
const modules = new Map<string, Module>();

function readSource(file: string): Source {
  const known = sources.get(file);
  if (known !== undefined) return known;
  const code = stripTypeScriptTypes(readFileSync(file, 'utf8'));
  const imports = [...code.matchAll(/\bfrom '(\.[^']+)'/g)].map(([, specifier = '']) =>
    fileURLToPath(new URL(specifier, pathToFileURL(file))),
  );
  const source = { code, imports };
  sources.set(file, source);
  return source;
}

/** The files that are, or import in some way, the changed one. */
function dependents(testFile: string, changed: string): Set<string> {
  const found = new Set([testFile, changed]);
  const seen = new Set<string>();
  const visit = (file: string): boolean => {
    if (seen.has(file)) return found.has(file);
    seen.add(file);
    const reaches = readSource(file).imports.map(visit).some(Boolean);
    if (reaches) found.add(file);
    return found.has(file);
  };
  visit(testFile);
  return found;
}

function synthetic(exported: object): Module {
  const names = Object.keys(exported);
  return new SyntheticModule(names, function evaluate() {
    for (const name of names) this.setExport(name, (exported as Record<string, unknown>)[name]);
  });
}

/** Loads files, one of them changed; what depends on it is not kept. */
class Loader {
  readonly #task: ThreadTask;
  readonly #fresh: ReadonlySet<string>;
  readonly #own = new Map<string, Module>();

  constructor(task: ThreadTask) {
    this.#task = task;
    this.#fresh = dependents(task.testFile, task.file);
  }

  async run(): Promise<void> {
    const module = this.#load(this.#task.testFile);
    await module.link((specifier, { identifier }) => this.#resolve(specifier, identifier));
    await module.evaluate();
  }

  async #resolve(specifier: string, from: string): Promise<Module> {
    if (specifier.startsWith('.')) return this.#load(fileURLToPath(new URL(specifier, from)));
    if (specifier === 'node:test') return synthetic(nodeTest);
    if (specifier === 'node:assert/strict') return synthetic({ default: quickAssert });
    const known = modules.get(specifier) ?? synthetic(await import(specifier));
    modules.set(specifier, known);
    return known;
  }

  #load(file: string): Module {
    const kept = this.#fresh.has(file) ? this.#own : modules;
    const known = kept.get(file);
    if (known !== undefined) return known;
    const identifier = pathToFileURL(file).href;
    const code = file === this.#task.file ? stripTypeScriptTypes(this.#task.text) : readSource(file).code;
    const module = new SourceTextModule(code, {
      identifier,
      initializeImportMeta: (meta) => {
        Object.assign(meta, { url: identifier, filename: file, dirname: dirname(file) });
      },
      importModuleDynamically: (specifier) => import(specifier),
    });
    kept.set(file, module);
    return module;
  }
}

async function isPassed(task: ThreadTask): Promise<boolean> {
  tests = [];
  afterAll = [];
  try {
    await new Loader(task).run();
    for (const work of tests) await work({ mock });
    return true;
  } catch {
    return false;
  } finally {
    mock.restoreAll();
    for (const work of afterAll) await work({ mock });
  }
}

// What is rejected beside the tests fails the one that runs: the thread ends, and another takes its place.
process.on('unhandledRejection', () => process.exit(1));

parentPort?.on('message', async (task: ThreadTask) => {
  parentPort?.postMessage(await isPassed(task));
});
