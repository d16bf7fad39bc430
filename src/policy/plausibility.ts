/** A fall that is allowed unless another is set: half. */
export const defaultAllowedFall = 0.5;

/** How much one part of a database holds: a table, a dump, the output of a command. */
export interface PartCounts {
  /** Path in the archive, `databases/<name>/…`. */
  readonly path: string;
  /** Kind of the entry that holds it. */
  readonly kind: string;
  /** Absent where nobody counts rows. */
  readonly rows?: number;
  /** Absent where it has no bytes of its own. */
  readonly sizeBytes?: number;
}

/** A part that holds far less than it did. */
export interface Fall {
  readonly path: string;
  readonly measure: 'rows' | 'bytes';
  readonly before: number;
  /** 0 where it is gone. */
  readonly now: number;
}

/**
 * The parts that fell by more than the allowed share (0 to 1) since the archive before, those that are gone included. A database that is
 * not in both, or that is now read by another method, is not compared.
 */
export function findFalls(
  previous: readonly PartCounts[],
  current: readonly PartCounts[],
  allowedFall: number,
): readonly Fall[] {
  const now = new Map(current.map((part) => [part.path, part]));
  const kinds = kindsByDatabase(current);
  const kindsBefore = kindsByDatabase(previous);
  const falls: Fall[] = [];
  for (const part of previous) {
    const database = databaseOf(part.path);
    if (!isSameMethod(kindsBefore.get(database), kinds.get(database))) continue;
    const found = now.get(part.path);
    const hasFallen = (before: number, after: number) => before > 0 && after < before * (1 - allowedFall);
    const { rows = 0, sizeBytes = 0 } = part;
    const rowsNow = found?.rows ?? (found === undefined ? 0 : rows);
    const bytesNow = found?.sizeBytes ?? (found === undefined ? 0 : sizeBytes);
    if (hasFallen(rows, rowsNow)) falls.push({ path: part.path, measure: 'rows', before: rows, now: rowsNow });
    else if (hasFallen(sizeBytes, bytesNow))
      falls.push({ path: part.path, measure: 'bytes', before: sizeBytes, now: bytesNow });
  }
  return falls;
}

/** For people: `databases/shop/tables/orders had 20 rows and has 3`. */
export function describeFall({ path, measure, before, now }: Fall): string {
  return now === 0 && measure === 'rows'
    ? `${path} had ${before} rows and has none`
    : `${path} had ${before} ${measure} and has ${now}`;
}

/** Whether two archives have a database in common. */
export function isComparable(previous: readonly PartCounts[], current: readonly PartCounts[]): boolean {
  const names = new Set(current.map(({ path }) => databaseOf(path)));
  return previous.some(({ path }) => names.has(databaseOf(path)));
}

function databaseOf(path: string): string {
  return path.split('/', 2).join('/');
}

function kindsByDatabase(parts: readonly PartCounts[]): Map<string, Set<string>> {
  const kinds = new Map<string, Set<string>>();
  for (const { path, kind } of parts) {
    const database = databaseOf(path);
    kinds.set(database, (kinds.get(database) ?? new Set()).add(kind));
  }
  return kinds;
}

/** A dump in place of tables has none of their paths. */
function isSameMethod(before: ReadonlySet<string> | undefined, now: ReadonlySet<string> | undefined): boolean {
  return before !== undefined && now !== undefined && before.has('dump') === now.has('dump');
}
