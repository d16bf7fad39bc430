import { glob, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { HoldfastError } from '../../../../errors.ts';
import { findExport } from '../find-export.ts';
import { importLibrary } from '../import-library.ts';
import type { ModelAdapter } from '../model-adapter.ts';
import { describePrisma } from './describe-prisma.ts';

/** A file of a schema and its text. */
type SchemaFile = [path: string, text: string];

/** A generated client, or an instance of it: the schema that it was generated from stands in it. */
interface GeneratedClient {
  readonly _engineConfig: { readonly inlineSchema: string };
}

function isClient(value: unknown): value is GeneratedClient {
  if (typeof value !== 'object' || value === null || !('_engineConfig' in value)) return false;
  return typeof (value as GeneratedClient)._engineConfig.inlineSchema === 'string';
}

/** A schema is one file, or a folder of files. */
async function readSchema(path: string): Promise<SchemaFile[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [[path, await readFile(path, 'utf8')]];
    const files: SchemaFile[] = [];
    for await (const name of glob('**/*.prisma', { cwd: path })) {
      files.push([join(path, name), await readFile(join(path, name), 'utf8')]);
    }
    return files.sort(([a], [b]) => (a < b ? -1 : 1));
  } catch (cause) {
    throw new HoldfastError('config.invalid', {
      message: `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'name the schema.prisma, the folder of the schema, or a module that exports the PrismaClient',
      context: { path },
      cause,
    });
  }
}

/** What the parser says: its messages are JSON with a coloured text. */
function parserMessage(error: Error): string {
  try {
    return stripVTControlCharacters((JSON.parse(error.message) as { message: string }).message);
  } catch {
    return error.message;
  }
}

function invalidSchema(path: string, error: Error): HoldfastError {
  const text = parserMessage(error);
  return new HoldfastError('config.invalid', {
    message: `the schema ${path} is not valid: ${/error: (.+)/.exec(text)?.[1] ?? text.split('\n')[0]}`,
    hint: '`npx prisma validate` tells where',
    context: { path },
    cause: error,
  });
}

/** Names of views: the data model does not tell them from models. */
function viewsOf(files: readonly SchemaFile[]): Set<string> {
  return new Set(
    files.flatMap(([, text]) => [...text.matchAll(/^\s*view\s+(\w+)\s*\{/gm)].map(([, name = '']) => name)),
  );
}

/**
 * Prisma: a `schema.prisma`, a folder of such, or a module that exports the PrismaClient. Its own parser (`@prisma/get-dmmf`, WebAssembly) reads it; no
 * client has to be generated and no engine is loaded.
 */
export const prismaAdapter: ModelAdapter = {
  async describe({ paths, importModules }) {
    const [path] = paths;
    const isModule = /\.[cm]?[jt]s$/.test(path);
    const wanted = { path, what: 'PrismaClient', example: 'export const prisma = new PrismaClient({ adapter })' };
    const files: SchemaFile[] = isModule
      ? [[path, findExport(await importModules(), isClient, wanted)._engineConfig.inlineSchema]]
      : (await Promise.all(paths.map(readSchema))).flat();
    const { getDMMF } = await importLibrary<typeof import('@prisma/get-dmmf')>('@prisma/get-dmmf', path);
    const found = getDMMF({ datamodel: files });
    if ('error' in found) throw invalidSchema(path, found.error);
    return describePrisma(found.datamodel.models, viewsOf(files));
  },
};
