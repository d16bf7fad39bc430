import { HoldfastError } from '../../../errors.ts';
import type { ConditionValue, RowCondition } from './row-condition.ts';

/** Engines that conditions are written for. */
export type ConditionEngine = 'postgres' | 'mysql' | 'mariadb' | 'sqlite';

const isMysql = (engine: ConditionEngine): boolean => engine === 'mysql' || engine === 'mariadb';

function quoteName(name: string, engine: ConditionEngine): string {
  return isMysql(engine) ? `\`${name.replaceAll('`', '``')}\`` : `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL. With a backslash in it, it goes as bytes to MySQL, where the meaning of one depends on `sql_mode`, and as `E''` to PostgreSQL. */
function quoteText(text: string, engine: ConditionEngine): string {
  if (text.includes('\0')) {
    throw new HoldfastError('config.invalid', { message: 'a condition cannot hold a NUL', hint: 'take it out' });
  }
  const quoted = `'${text.replaceAll("'", "''")}'`;
  if (!text.includes('\\') || engine === 'sqlite') return quoted;
  if (engine === 'postgres') return `E${quoted.replaceAll('\\', '\\\\')}`;
  return `CONVERT(X'${Buffer.from(text).toString('hex')}' USING utf8mb4)`;
}

function quoteDate(date: Date, column: string, engine: ConditionEngine): string {
  if (engine === 'sqlite') {
    throw new HoldfastError('config.invalid', {
      message: `${column} is compared with a Date, which SQLite does not have`,
      hint: 'give the text or the number that the column holds',
    });
  }
  const text = date.toISOString();
  return isMysql(engine) ? `'${text.slice(0, -1).replace('T', ' ')}'` : `'${text}'`;
}

function literal(value: ConditionValue, column: string, engine: ConditionEngine): string {
  if (value instanceof Date) return quoteDate(value, column, engine);
  if (typeof value === 'string') return quoteText(value, engine);
  if (typeof value === 'boolean' && engine !== 'postgres') return value ? '1' : '0';
  return String(value);
}

function comparisonSql(condition: RowCondition, engine: ConditionEngine): string {
  const { column, operator } = condition;
  const name = quoteName(column, engine);
  if ('values' in condition) {
    // `IN ()` is no SQL everywhere: nothing is among no values.
    if (condition.values.length === 0) return '1 = 0';
    return `${name} IN (${condition.values.map((value) => literal(value, column, engine)).join(', ')})`;
  }
  if ('value' in condition) return `${name} ${operator} ${literal(condition.value, column, engine)}`;
  return `${name} ${operator.toUpperCase()}`;
}

/**
 * Conditions in the SQL of an engine, for after `WHERE`; undefined where there are none. Values stand in it as literals, since `COPY` takes no
 * parameters. Dates are in UTC: a column without a time zone is taken to hold UTC.
 *
 * @throws `config.invalid` for a text with a NUL, and a Date on SQLite.
 */
export function whereSql(conditions: readonly RowCondition[], engine: ConditionEngine): string | undefined {
  if (conditions.length === 0) return undefined;
  return conditions.map((condition) => comparisonSql(condition, engine)).join(' AND ');
}
