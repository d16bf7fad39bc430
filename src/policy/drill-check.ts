/** A value of a database, as it is expected. */
export type ExpectedValue = string | number | boolean | null;

/** What a statement is to give: the first value of its first row, bounds of that, or all its rows. */
export type Expectation =
  | ExpectedValue
  | { readonly atLeast?: number | undefined; readonly atMost?: number | undefined }
  | readonly (readonly ExpectedValue[])[];

/** A statement, and what it has to give. */
export interface SqlCheck {
  /** The name of the database in the archive; it may be left out where there is only one. */
  readonly database?: string | undefined;
  /** One statement, that only reads. */
  readonly sql: string;
  readonly expect: Expectation;
}

/** What a function gets to look at. */
export interface DrillContext {
  /** The archive, for people. */
  readonly archive: string;
  /** Names of the databases that were restored. */
  readonly databases: readonly string[];
  /** Where the trees of files are, each under its name; absent where there are none. */
  readonly filesFolder?: string;
  readonly signal: AbortSignal;
  /** The rows of one statement that only reads; the database may be left out where there is only one. */
  query(sql: string, database?: string): Promise<readonly (readonly unknown[])[]>;
}

/** Looks at what was restored; it fails by throwing, or by giving `false`. */
export type DrillFunction = (context: DrillContext) => unknown;

/** An assertion about what a drill restores. */
export type GivenCheck = SqlCheck | DrillFunction;

/** What is wrong with the rows; undefined where nothing is. */
export function unexpectedIn(rows: readonly (readonly unknown[])[], expect: Expectation): string | undefined {
  if (isRows(expect)) {
    const isAlike =
      rows.length === expect.length &&
      rows.every((row, index) => {
        const wanted = expect[index] ?? [];
        return row.length === wanted.length && row.every((value, column) => isEqual(value, wanted[column] ?? null));
      });
    return isAlike ? undefined : `it gave ${shown(rows)} where ${shown(expect)} is expected`;
  }
  if (rows[0] === undefined) return 'it gave no rows';
  const value = rows[0][0];
  if (typeof expect !== 'object' || expect === null) {
    return isEqual(value, expect) ? undefined : `it gave ${shown(value)} where ${shown(expect)} is expected`;
  }
  const number = value === null || value === '' ? Number.NaN : Number(value);
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = expect;
  if (number >= atLeast && number <= atMost) return undefined;
  return `it gave ${shown(value)} where ${shown(expect)} is expected`;
}

function isRows(expect: Expectation): expect is readonly (readonly ExpectedValue[])[] {
  return Array.isArray(expect);
}

/** Engines give numbers as texts or big integers, and truth as 1, where a number would lose digits or there is no such type. */
function isEqual(value: unknown, expected: ExpectedValue): boolean {
  if (expected === null || value === null || value === undefined) return expected === (value ?? null);
  if (typeof expected === 'boolean')
    return [expected, Number(expected), BigInt(expected), expected ? 't' : 'f'].some((one) => one === value);
  if (typeof expected === 'number') return value !== '' && Number(value) === expected;
  return textOf(value) === expected;
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return Buffer.isBuffer(value) || value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner));
  return (text ?? 'nothing').slice(0, 200);
}
