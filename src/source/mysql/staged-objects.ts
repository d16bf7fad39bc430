import { HoldfastError } from '../../errors.ts';
import type { MysqlConnection } from './mysql-connection.ts';
import { mysqlTargetError, serverFailure } from './mysql-error.ts';
import { dropStatement, type SchemaObject } from './schema-object.ts';
import { quoteName } from './sql-text.ts';
import { makeSteps, runSteps, type Step } from './swap-statements.ts';
import { viewsInOrder } from './view-order.ts';

/** How objects are tried out. */
export interface TryOptions {
  /** The database that is filled. */
  readonly database: string;
  readonly isMariadb: boolean;
  readonly timeoutMs: number;
}

/** A view may name a database that has not got its tables yet, such as the target itself, where the table of a trigger may be as well. */
const isMissing = (number: number | undefined) => number !== undefined && [1146, 1356, 1305, 1049].includes(number);

/**
 * Makes each object in the database that is filled, to see that the server takes it. Triggers are taken away again, since tables with triggers do
 * not change their database; events are not made there, where they would run.
 */
export async function tryObjects(
  control: MysqlConnection,
  objects: readonly SchemaObject[],
  options: TryOptions,
): Promise<void> {
  const tried = viewsInOrder(objects.filter(({ kind }) => kind !== 'event'));
  await runSteps(control, {
    ...options,
    steps: makeSteps(tried.filter(({ kind }) => kind === 'view')).filter(isPlaceholder),
  });
  for (const object of tried) {
    try {
      await runSteps(control, { ...options, steps: [{ object }] });
    } catch (error) {
      const isOfTables = object.kind === 'view' || object.kind === 'trigger';
      const isElsewhere = isOfTables && isMissing(serverFailure(error)?.number);
      if (!isElsewhere) throw mysqlTargetError(error, { what: `the ${object.kind} ${object.name}` });
    }
  }
  await control.run(`USE ${quoteName(options.database)}`);
  for (const object of tried.filter(({ kind }) => kind === 'trigger')) await control.run(dropStatement(object));
}

const isPlaceholder = (step: Step) => !('object' in step);

/** Bytes of an object; no statement of a schema comes near the limit. */
export async function collect(path: string, bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const limitBytes = 16 * 1024 * 1024;
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of bytes) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) {
      throw new HoldfastError('target.invalid', {
        message: `${path} is longer than any definition`,
        context: { path },
      });
    }
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}
