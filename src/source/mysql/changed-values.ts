import type { SourceContext } from '../source.ts';
import type { DumpSession } from './dump-session.ts';
import { serverFailure } from './mysql-error.ts';
import { qualifiedName, quoteName } from './sql-text.ts';

/** How long the server may look through one table, in seconds. */
const limitSeconds = 30;
/** What a server answers that ended the look, MariaDB and MySQL, and one that is too old for it. */
const unansweredNumbers = [1969, 3024, 1064];

/** A column some of whose values the dump tool may write so that another value comes back. */
interface SuspectColumn {
  readonly table: string;
  readonly name: string;
  /** True of a row whose value does not come back. */
  readonly condition: string;
  readonly reason: string;
}

/** Servers write six digits of a FLOAT, which is enough for most values and not for all. */
function suspectColumn(table: string, name: string, type: string): SuspectColumn | undefined {
  const column = quoteName(name);
  if (/^float/i.test(type)) {
    const condition = `CAST(CONCAT(${column}) AS FLOAT) <> ${column}`;
    return { table, name, condition, reason: 'values of the type FLOAT come back rounded to six digits' };
  }
  // The error value is written as the empty text, which is a value of its own here.
  if (/^enum\(/i.test(type) && /[(,]''[,)]/.test(type)) {
    return {
      table,
      name,
      condition: `${column} + 0 = 0`,
      reason: 'error values of the type ENUM come back as empty texts',
    };
  }
  return undefined;
}

async function suspectColumns(session: DumpSession, database: string): Promise<SuspectColumn[]> {
  const rows = await session.control.rows(
    `SELECT table_name AS tableName, column_name AS name, column_type AS type FROM information_schema.columns
      WHERE table_schema = ? AND data_type IN ('float', 'enum') AND COALESCE(generation_expression, '') = ''
      ORDER BY table_name, ordinal_position`,
    [database],
  );
  const tables = new Set(session.tables.filter(({ isSequence }) => !isSequence).map(({ name }) => name));
  return rows
    .filter((row) => tables.has(String(row['tableName'])))
    .map((row) => suspectColumn(String(row['tableName']), String(row['name']), String(row['type'])))
    .filter((column) => column !== undefined);
}

/**
 * Reports the columns with values that the dump tool changes, and those that could not be looked through in time. It is done right
 * before the snapshot is taken: what is written in between is not seen.
 */
export async function reportChangedValues(session: DumpSession, database: string, context: SourceContext) {
  const { control, server } = session;
  for (const { table, name, condition, reason } of await suspectColumns(session, database)) {
    const [before, hint] =
      server.engine === 'mariadb'
        ? [`SET STATEMENT max_statement_time = ${limitSeconds} FOR `, '']
        : ['', `/*+ MAX_EXECUTION_TIME(${limitSeconds * 1000}) */ `];
    const report = (message: string) => context.report({ code: 'source.unsupported', path: table, message });
    try {
      const query = `${before}SELECT ${hint}1 FROM ${qualifiedName(database, table)} WHERE ${condition} LIMIT 1`;
      if ((await control.rows(query)).length > 0) report(`column ${name}: ${reason}, as the dump tool writes them`);
    } catch (error) {
      const number = serverFailure(error)?.number ?? 0;
      if (!unansweredNumbers.includes(number)) throw error;
      report(`column ${name}: whether ${reason} could not be found out`);
    }
  }
}
