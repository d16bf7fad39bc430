import type { Clock } from '../../../clock.ts';
import type { Random } from '../../../random.ts';
import type { Secret } from '../../../secret.ts';
import { engineOfUrl } from '../../engines.ts';
import type { ModelWriter } from './model-writer.ts';

/** What a writer is opened with. */
export interface OpenWriterOptions {
  readonly url: Secret;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** Opens the database that the URL names for writing. Throws `storage.*`, `target.busy`, `usage.invalid`. */
export async function openModelWriter(options: OpenWriterOptions): Promise<ModelWriter> {
  const engine = engineOfUrl(options.url.reveal()).name;
  if (engine === 'postgres') {
    const { PostgresModelWriter } = await import('../postgres/postgres-model-writer.ts');
    return await PostgresModelWriter.open(options);
  }
  if (engine === 'mysql') {
    const { MysqlModelWriter } = await import('../mysql/mysql-model-writer.ts');
    return await MysqlModelWriter.open(options);
  }
  const { SqliteModelWriter } = await import('../sqlite/sqlite-model-writer.ts');
  return await SqliteModelWriter.open(options);
}
