import { type LoadFnOutput, registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Statements that only a module can have. */
const moduleStatement = /^(?:import\s+(?!type\b)[\w{*'"]|export\s)/m;
const commonStatement = /^\s*(?:module\.exports|exports\.\w+)\s*=/m;

/** The format of a module, for a file that is one and lies in a package that calls its files CommonJS, as `npm init` makes them. */
function moduleFormat(url: string, { format, source }: LoadFnOutput): 'module' | 'module-typescript' | undefined {
  if (format !== 'commonjs' && format !== 'commonjs-typescript') return undefined;
  if (source === undefined || source === null || url.includes('/node_modules/')) return undefined;
  const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
  if (!moduleStatement.test(text) || commonStatement.test(text)) return undefined;
  return format === 'commonjs' ? 'module' : 'module-typescript';
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
      const loaded = nextLoad(url, context);
      const format = moduleFormat(url, loaded);
      return format === undefined ? loaded : { ...loaded, format };
    },
  });
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Readonly<Record<string, unknown>>;
  } finally {
    hooks.deregister();
  }
}
