import picomatch from 'picomatch';
import { HoldfastError } from '../../errors.ts';
import { plainName, type TableName } from './sql-name.ts';

/** Which tables' rows are backed up. A glob without a schema fits tables of every schema. Throws `usage.invalid`. */
export function tableFilter(options: {
  readonly includeTables?: readonly string[];
  readonly excludeTables?: readonly string[];
}): (table: TableName) => boolean {
  const { includeTables, excludeTables = [] } = options;
  if ([...(includeTables ?? []), ...excludeTables].includes('')) {
    throw new HoldfastError('usage.invalid', { message: 'a glob for tables is empty' });
  }
  const matcher = (globs: readonly string[]) => {
    // A name may hold a slash, which a star matches too.
    const matchers = globs.map((glob) => picomatch(glob, { dot: true, bash: true }));
    return (table: TableName) => matchers.some((fits) => fits(table.name) || fits(plainName(table)));
  };
  const isIncluded = includeTables === undefined ? () => true : matcher(includeTables);
  const isExcluded = matcher(excludeTables);
  return (table) => isIncluded(table) && !isExcluded(table);
}
