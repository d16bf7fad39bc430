import { HoldfastError } from '../../errors.ts';
import type { MysqlConnection } from './mysql-connection.ts';
import { mysqlTargetError, serverFailure } from './mysql-error.ts';
import { dropStatement, type SchemaObject } from './schema-object.ts';
import { quoteName } from './sql-text.ts';
import { runSteps } from './swap-statements.ts';

/** How objects are tried out. */
export interface TryOptions {
  /** The database that is filled. */
  readonly database: string;
  readonly isMariadb: boolean;
  readonly timeoutMs: number;
}

/** A view may use one that comes later, or name a database that has not got its tables yet. */
const isMissing = (number: number | undefined) => number !== undefined && [1146, 1356, 1305, 1049].includes(number);

/**
 * Makes each object in the database that is filled, to see that the server takes it, and gives them in an order in which they can be made.
 * Triggers are taken away again, since tables with triggers do not change their database; events are not made there, where they would run.
 */
export async function tryObjects(
  control: MysqlConnection,
  objects: readonly SchemaObject[],
  options: TryOptions,
): Promise<SchemaObject[]> {
  const made: SchemaObject[] = [];
  let waiting = objects.filter(({ kind }) => kind !== 'event');
  while (waiting.length > 0) {
    const left: SchemaObject[] = [];
    for (const object of waiting) (await canMake(control, object, options)) ? made.push(object) : left.push(object);
    if (left.length === waiting.length) break;
    waiting = left;
  }
  for (const object of made.filter(({ kind }) => kind === 'trigger')) {
    await control.run(`USE ${quoteName(options.database)}`);
    await control.run(dropStatement(object));
  }
  // What is left names another database, perhaps the target itself: it is made there.
  const unmade = waiting.filter((object) => !made.includes(object));
  const events = objects.filter(({ kind }) => kind === 'event');
  const isTrigger = ({ kind }: SchemaObject) => kind === 'trigger';
  return [...made.filter((object) => !isTrigger(object)), ...unmade, ...made.filter(isTrigger), ...events];
}

async function canMake(control: MysqlConnection, object: SchemaObject, options: TryOptions): Promise<boolean> {
  try {
    await runSteps(control, { ...options, steps: [{ object }] });
    return true;
  } catch (error) {
    const isLater = object.kind === 'view' && isMissing(serverFailure(error)?.number);
    if (isLater) return false;
    throw mysqlTargetError(error, { what: `the ${object.kind} ${object.name}` });
  }
}

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
