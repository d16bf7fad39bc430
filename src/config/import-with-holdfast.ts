import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * Imports a module of the application (a configuration, a schema, a registration), whose `import … from 'holdfast'` finds this program where no other is
 * installed beside it: a Holdfast that is installed globally reads those of any folder.
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
  });
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Readonly<Record<string, unknown>>;
  } finally {
    hooks.deregister();
  }
}
