import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Statements that only a module can have. */
const moduleStatement = /^(?:import\s+(?!type\b)[\w{*'"]|export\s)/m;
const commonStatement = /^\s*(?:module\.exports|exports\.\w+)\s*=/m;

/**
 * The format of a file of the application that is a module, whatever its package says: `npm init` makes packages of CommonJS, or, before, of no type, for which
 * Node warns on each start. Undefined where Node knows better.
 */
function moduleFormat(url: string, known: string | null | undefined): 'module' | 'module-typescript' | undefined {
  const extension = /\.(ts|js)$/.exec(url)?.[1];
  if (extension === undefined || !url.startsWith('file:') || url.includes('/node_modules/')) return undefined;
  if (known?.startsWith('module')) return undefined;
  const text = readFileSync(fileURLToPath(url), 'utf8');
  if (!moduleStatement.test(text) || commonStatement.test(text)) return undefined;
  return extension === 'ts' ? 'module-typescript' : 'module';
}

/**
 * Imports a module of the application (a configuration, a schema, a registration), whose `import … from 'holdfast'` finds this program where no other is
 * installed beside it: a Holdfast that is installed globally reads those of any folder. It may lie in a package of any type.
 */
export async function importWithHoldfast(file: string): Promise<Readonly<Record<string, unknown>>> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier !== 'holdfast') return nextResolve(specifier, context);
      try {
        return nextResolve(specifier, context);
      } catch {
        return nextResolve(new URL(`../index.${extension}`, import.meta.url).href, context);
      }
    },
    load(url, context, nextLoad) {
      const format = moduleFormat(url, context.format);
      return nextLoad(url, format === undefined ? context : { ...context, format });
    },
  });
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Readonly<Record<string, unknown>>;
  } finally {
    hooks.deregister();
  }
}
