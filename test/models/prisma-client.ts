import { getPrismaClient } from '@prisma/client/runtime/client';
import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { getDMMF } from '@prisma/get-dmmf';

/** A delegate, as far as tests call it. */
export interface Delegate {
  readonly fields: Readonly<Record<string, unknown>>;
  create(query: object): Promise<Record<string, unknown>>;
  findMany(query?: object): Promise<Record<string, unknown>[]>;
}

/** A client, as far as tests call it. */
export interface Client extends Readonly<Record<string, Delegate>> {
  $disconnect: Delegate & (() => Promise<void>);
}

/** The types of this project have no DOM, and so no WebAssembly. */
const { compile } = Reflect.get(globalThis, 'WebAssembly') as { compile(bytes: Uint8Array): Promise<object> };

/** What the runtime needs of a provider: its compiler of queries, as WebAssembly. */
async function compilerOf(provider: 'sqlite' | 'postgresql') {
  const base = `@prisma/client/runtime/query_compiler_fast_bg.${provider}`;
  const { wasm } = (await import(`${base}.wasm-base64.mjs`)) as { wasm: string };
  return {
    importName: './query_compiler_fast_bg.js',
    getRuntime: async () => (await import(`${base}.mjs`)) as never,
    getQueryCompilerWasmModule: async () => compile(Buffer.from(wasm, 'base64')),
  };
}

/** The client that `prisma generate` would write for a schema, made at run time: it wants no download, and there are no files to keep up to date. */
export async function makePrismaClient(
  schema: string,
  provider: 'sqlite' | 'postgresql',
  adapter: SqlDriverAdapterFactory,
): Promise<Client> {
  const found = getDMMF({ datamodel: schema });
  if ('error' in found) throw found.error;
  const models = Object.fromEntries(found.datamodel.models.map(({ name, ...model }) => [name, model]));
  const enums = Object.fromEntries(found.datamodel.enums.map(({ name, ...one }) => [name, one]));
  const PrismaClient = getPrismaClient({
    previewFeatures: [],
    clientVersion: '7.10.0',
    engineVersion: 'none',
    activeProvider: provider,
    inlineSchema: schema,
    runtimeDataModel: { models, enums, types: {} } as never,
    compilerWasm: await compilerOf(provider),
    parameterizationSchema: { strings: [], graph: 'AAAAAAAAAAAAAAAAAAAAAA' },
  });
  return new PrismaClient({ adapter } as never) as unknown as Client;
}
