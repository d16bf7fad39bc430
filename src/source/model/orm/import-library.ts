import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HoldfastError } from '../../../errors.ts';

/**
 * Loads a library as a module of the application would: the copy that is installed for it goes before one beside this program.
 *
 * @param name A package, or a path in one: `drizzle-orm/pg-core`.
 * @param path A file of the application.
 * @throws `tool.not_found` where it is not installed, with the command that does so.
 */
export async function importLibrary<Library>(name: string, path: string): Promise<Library> {
  for (const from of [pathToFileURL(resolve(path)), new URL(import.meta.url)]) {
    let file: string;
    try {
      file = createRequire(from).resolve(name);
    } catch {
      continue;
    }
    return (await import(pathToFileURL(file).href)) as Library;
  }
  const parts = name.split('/');
  const packageName = parts.slice(0, name.startsWith('@') ? 2 : 1).join('/');
  throw new HoldfastError('tool.not_found', {
    message: `the package ${packageName} is not installed`,
    hint: `npm install ${packageName}`,
    context: { package: packageName },
  });
}
