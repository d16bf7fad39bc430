import type { Secret } from '../../secret.ts';
import { engineOfUrl } from '../engines.ts';
import type { ModelReader } from './model-reader.ts';

/** What a reader is opened with. */
export interface OpenReaderOptions {
  readonly url: Secret;
  readonly timeoutMs: number;
  readonly connections?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Opens the database that the URL names, at one moment. Throws `source.*`, `usage.invalid`. */
export async function openModelReader(options: OpenReaderOptions): Promise<ModelReader> {
  const engine = engineOfUrl(options.url.reveal()).name;
  if (engine === 'postgres') {
    const { PostgresModelReader } = await import('./postgres/postgres-model-reader.ts');
    return await PostgresModelReader.open(options);
  }
  if (engine === 'mysql') {
    const { MysqlModelReader } = await import('./mysql/mysql-model-reader.ts');
    return await MysqlModelReader.open(options);
  }
  const { SqliteModelReader } = await import('./sqlite/sqlite-model-reader.ts');
  return SqliteModelReader.open(options);
}
