import type { ModelColumn, ModelEngine } from '../model.ts';
import { type ModelType, typeText } from '../model-type.ts';
import { modelTypeOf as sqliteTypeOf } from '../sqlite/sqlite-type.ts';

/** Three families: the two servers of one are alike here. */
export type EngineFamily = 'postgres' | 'mysql' | 'sqlite';

/** The family of an engine. */
export function familyOf(engine: ModelEngine): EngineFamily {
  return engine === 'mariadb' ? 'mysql' : engine;
}

/** A type, and what is to be known of it on its way to other engines. The page `docs/reference/cross-engine.md` is made of these. */
export interface TypeRule {
  readonly type: ModelType;
  readonly note: string;
}

/** What of each kind is worth knowing; how it is made is what {@link mapType} says. */
export const typeRules: readonly TypeRule[] = [
  { type: { kind: 'boolean' }, note: 'as 1 and 0 where there is no such type' },
  { type: { kind: 'integer', bits: 8, isUnsigned: false }, note: '' },
  { type: { kind: 'integer', bits: 16, isUnsigned: false }, note: '' },
  { type: { kind: 'integer', bits: 16, isUnsigned: true }, note: '' },
  { type: { kind: 'integer', bits: 32, isUnsigned: false }, note: '' },
  { type: { kind: 'integer', bits: 32, isUnsigned: true }, note: '' },
  { type: { kind: 'integer', bits: 64, isUnsigned: false }, note: '' },
  {
    type: { kind: 'integer', bits: 64, isUnsigned: true },
    note: 'a value above 9223372036854775807 is refused outside MySQL',
  },
  {
    type: { kind: 'decimal', precision: 10, scale: 2 },
    note: 'NaN and infinities are refused outside PostgreSQL, unless they go into text',
  },
  { type: { kind: 'decimal', precision: 30, scale: 10 }, note: 'text in SQLite, whose numbers keep 15 digits' },
  { type: { kind: 'decimal' }, note: 'a value with more digits than there is room for is refused by MySQL' },
  { type: { kind: 'float', bits: 32 }, note: 'NaN is refused by MySQL and SQLite, an infinity by MySQL' },
  { type: { kind: 'float', bits: 64 }, note: 'as before' },
  { type: { kind: 'text', maximumLength: 40 }, note: 'a text with U+0000 is refused by PostgreSQL' },
  { type: { kind: 'text' }, note: 'in MySQL compared by bytes, so that keys that differ stay different' },
  { type: { kind: 'bytes' }, note: '' },
  {
    type: { kind: 'date' },
    note: 'years beyond 9999, those before Christ and infinities are refused by MySQL, zero dates (`0000-00-00`) by PostgreSQL',
  },
  {
    type: { kind: 'time', precision: 6, hasZone: false },
    note: 'less than 0 or more than 24 hours, as MySQL has them, is refused by PostgreSQL',
  },
  { type: { kind: 'time', precision: 6, hasZone: true }, note: '' },
  {
    type: { kind: 'timestamp', precision: 6, hasZone: false },
    note: 'as for dates; a fraction of a second that there is no room for is refused',
  },
  { type: { kind: 'timestamp', precision: 6, hasZone: true }, note: 'a moment without a zone is one of UTC' },
  { type: { kind: 'interval' }, note: 'the text of PostgreSQL' },
  { type: { kind: 'uuid' }, note: '' },
  { type: { kind: 'json' }, note: 'as it was written; MySQL (not MariaDB) and `jsonb` keep a form of their own' },
  { type: { kind: 'bits', length: 8 }, note: '' },
  { type: { kind: 'bits' }, note: '' },
  { type: { kind: 'enum', values: ['a', 'b'] }, note: 'from PostgreSQL to PostgreSQL the type is made as well' },
  { type: { kind: 'set', values: ['a', 'b'] }, note: 'members with commas between' },
  { type: { kind: 'geometry' }, note: 'well-known binary (EWKB), in hex where it is text' },
  {
    type: { kind: 'native' },
    note: 'arrays, ranges, network addresses, composites: the text that their engine writes',
  },
  { type: { kind: 'any' }, note: 'the text of each value; a blob is refused' },
];

/** The rows of the page: type, PostgreSQL, MySQL, in a key there, SQLite, note. */
export function typeTable(): readonly (readonly string[])[] {
  return typeRules.map(({ type, note }) => {
    const column = { name: '', type, nativeType: '', isNullable: true };
    const made = (family: EngineFamily, isKey: boolean) => mapType(column, family, isKey).nativeType;
    const [plain, inKey] = [made('mysql', false), made('mysql', true)];
    const mysql = plain === inKey ? `\`${plain}\`` : `\`${plain}\`, in a key \`${inKey}\``;
    return [typeText(type), `\`${made('postgres', false)}\``, mysql, `\`${made('sqlite', false)}\``, note];
  });
}

const keyLength = 255;
const inlineLength = 1_000;
const mysqlPrecision = 65;
const mysqlScale = 30;
const numericDigits = 15;

/** A type as an engine makes it. */
export interface MappedType {
  readonly nativeType: string;
  readonly type: ModelType;
}

/** How a column of another engine is made in this one. `isKey`: it is part of a key. */
export function mapType(column: ModelColumn, family: EngineFamily, isKey: boolean): MappedType {
  const { type } = column;
  if (family === 'postgres') return inPostgres(type);
  if (family === 'mysql') return inMysql(type, isKey);
  const nativeType = inSqlite(type);
  return { nativeType, type: sqliteTypeOf(nativeType) };
}

const asText = { nativeType: 'text', type: { kind: 'text' } } as const;

function inPostgres(type: ModelType): MappedType {
  switch (type.kind) {
    case 'boolean':
    case 'date':
    case 'interval':
    case 'uuid':
    case 'json':
      return { nativeType: type.kind, type };
    case 'integer': {
      const wanted = type.bits + (type.isUnsigned ? 1 : 0);
      const bits = wanted <= 16 ? 16 : wanted <= 32 ? 32 : 64;
      const nativeType = { 16: 'smallint', 32: 'integer', 64: 'bigint' }[bits];
      return { nativeType, type: { kind: 'integer', bits, isUnsigned: false } };
    }
    case 'decimal':
      return {
        nativeType: type.precision === undefined ? 'numeric' : `numeric(${type.precision},${type.scale ?? 0})`,
        type,
      };
    case 'float':
      return { nativeType: type.bits === 32 ? 'real' : 'double precision', type };
    case 'text':
      return type.maximumLength === undefined || type.maximumLength > 65_535 || type.maximumLength === 0
        ? asText
        : { nativeType: `varchar(${type.maximumLength})`, type };
    case 'bytes':
      return { nativeType: 'bytea', type: { kind: 'bytes' } };
    case 'geometry':
      return { nativeType: 'bytea', type: { kind: 'bytes' } };
    case 'time':
    case 'timestamp':
      return { nativeType: `${type.kind}(${type.precision}) ${type.hasZone ? 'with' : 'without'} time zone`, type };
    case 'bits':
      return { nativeType: type.length === undefined ? 'bit varying' : `bit(${type.length})`, type };
    default:
      return asText;
  }
}

function inMysql(type: ModelType, isKey: boolean): MappedType {
  const long: MappedType = isKey
    ? { nativeType: `varchar(${keyLength})`, type: { kind: 'text', maximumLength: keyLength } }
    : { nativeType: 'longtext', type: { kind: 'text' } };
  switch (type.kind) {
    case 'boolean':
      return { nativeType: 'tinyint(1)', type: { kind: 'integer', bits: 8, isUnsigned: false } };
    case 'integer': {
      const name = { 8: 'tinyint', 16: 'smallint', 24: 'mediumint', 32: 'int', 64: 'bigint' }[type.bits];
      return { nativeType: `${name}${type.isUnsigned ? ' unsigned' : ''}`, type };
    }
    case 'decimal': {
      const { precision = mysqlPrecision, scale = type.precision === undefined ? mysqlScale : 0 } = type;
      const kept = {
        precision: Math.min(Math.max(precision, scale), mysqlPrecision),
        scale: Math.max(0, Math.min(scale, mysqlScale)),
      };
      return { nativeType: `decimal(${kept.precision},${kept.scale})`, type: { kind: 'decimal', ...kept } };
    }
    case 'float':
      return { nativeType: type.bits === 32 ? 'float' : 'double', type };
    case 'text':
      if (type.maximumLength === undefined || type.maximumLength > inlineLength || type.maximumLength === 0)
        return long;
      return { nativeType: `varchar(${type.maximumLength})`, type };
    case 'bytes':
      return isKey
        ? { nativeType: `varbinary(${keyLength})`, type: { kind: 'bytes', maximumLength: keyLength } }
        : { nativeType: 'longblob', type: { kind: 'bytes' } };
    case 'date':
      return { nativeType: 'date', type };
    case 'time':
      return type.hasZone
        ? inMysql({ kind: 'text', maximumLength: 40 }, isKey)
        : { nativeType: `time(${type.precision})`, type };
    case 'timestamp':
      return { nativeType: `datetime(${type.precision})`, type: { ...type, hasZone: false } };
    case 'interval':
      return { nativeType: `varchar(${keyLength})`, type: { kind: 'text', maximumLength: keyLength } };
    case 'uuid':
      return { nativeType: 'char(36)', type: { kind: 'text', maximumLength: 36 } };
    case 'json':
      return isKey ? long : { nativeType: 'json', type };
    case 'bits':
      return type.length === undefined || type.length > 64 ? long : { nativeType: `bit(${type.length})`, type };
    case 'enum':
    case 'set':
      return type.values.length === 0
        ? long
        : {
            nativeType: `${type.kind}(${type.values.map((value) => `'${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`).join(',')})`,
            type,
          };
    case 'geometry':
      return { nativeType: 'geometry', type };
    default:
      return long;
  }
}

function inSqlite(type: ModelType): string {
  switch (type.kind) {
    case 'boolean':
      return 'BOOLEAN';
    case 'integer':
      return 'INTEGER';
    case 'decimal':
      return type.precision === undefined || type.precision > numericDigits || (type.scale ?? 0) < 0
        ? 'TEXT'
        : `NUMERIC(${type.precision},${type.scale ?? 0})`;
    case 'float':
      return 'REAL';
    case 'bytes':
      return 'BLOB';
    case 'date':
      return 'DATE';
    case 'time':
      return type.hasZone ? 'TEXT' : 'TIME';
    case 'timestamp':
      return type.hasZone ? 'TIMESTAMPTZ' : 'DATETIME';
    default:
      return 'TEXT';
  }
}
