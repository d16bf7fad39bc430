import type { ModelColumn, ModelEngine } from '../model.ts';
import type { ModelType, ModelTypeKind } from '../model-type.ts';
import { modelTypeOf as sqliteTypeOf } from '../sqlite/sqlite-type.ts';

/** Three families: the two servers of one are alike here. */
export type EngineFamily = 'postgres' | 'mysql' | 'sqlite';

/** The family of an engine. */
export function familyOf(engine: ModelEngine): EngineFamily {
  return engine === 'mariadb' ? 'mysql' : engine;
}

/** How a type is made in each engine, and what is to be known of it. The page `docs/reference/cross-engine.md` is this table. */
export interface TypeRule {
  readonly kind: ModelTypeKind;
  readonly shown: string;
  readonly postgres: string;
  readonly mysql: string;
  readonly sqlite: string;
  readonly note: string;
}

/** What becomes of each type in a schema that is made from an archive. */
export const typeRules: readonly TypeRule[] = [
  {
    kind: 'boolean',
    shown: 'boolean',
    postgres: 'boolean',
    mysql: 'tinyint(1)',
    sqlite: 'BOOLEAN',
    note: 'as 1 and 0 where there is no such type',
  },
  {
    kind: 'integer',
    shown: 'integer of 8 or 16 bits',
    postgres: 'smallint',
    mysql: 'tinyint, smallint',
    sqlite: 'INTEGER',
    note: 'unsigned ones of 16 bits become `integer` in PostgreSQL',
  },
  {
    kind: 'integer',
    shown: 'integer of 24 or 32 bits',
    postgres: 'integer',
    mysql: 'mediumint, int',
    sqlite: 'INTEGER',
    note: 'unsigned ones of 32 bits become `bigint` in PostgreSQL',
  },
  {
    kind: 'integer',
    shown: 'integer of 64 bits',
    postgres: 'bigint',
    mysql: 'bigint',
    sqlite: 'INTEGER',
    note: 'unsigned values above 9223372036854775807 are refused outside MySQL',
  },
  {
    kind: 'decimal',
    shown: 'decimal(p,s)',
    postgres: 'numeric(p,s)',
    mysql: 'decimal(p,s)',
    sqlite: 'NUMERIC(p,s) up to 15 digits, else TEXT',
    note: 'NaN and infinities are refused outside PostgreSQL; more than MySQL’s 65 digits, 30 of them behind the point, are refused there',
  },
  {
    kind: 'decimal',
    shown: 'decimal of any size',
    postgres: 'numeric',
    mysql: 'decimal(65,30)',
    sqlite: 'NUMERIC from SQLite itself, else TEXT',
    note: 'a value with more digits than there is room for is refused',
  },
  {
    kind: 'float',
    shown: 'float of 32 or 64 bits',
    postgres: 'real, double precision',
    mysql: 'float, double',
    sqlite: 'REAL',
    note: 'NaN is refused by MySQL and SQLite, an infinity by MySQL',
  },
  {
    kind: 'text',
    shown: 'text(n)',
    postgres: 'varchar(n)',
    mysql: 'varchar(n), longtext beyond 1,000',
    sqlite: 'TEXT',
    note: 'a text with U+0000 is refused by PostgreSQL',
  },
  {
    kind: 'text',
    shown: 'text',
    postgres: 'text',
    mysql: 'longtext; varchar(255) in a key',
    sqlite: 'TEXT',
    note: 'compared by bytes in a table that is made in MySQL, so that keys that differ stay different',
  },
  {
    kind: 'bytes',
    shown: 'bytes',
    postgres: 'bytea',
    mysql: 'longblob; varbinary(255) in a key',
    sqlite: 'BLOB',
    note: '',
  },
  {
    kind: 'date',
    shown: 'date',
    postgres: 'date',
    mysql: 'date',
    sqlite: 'DATE',
    note: 'dates beyond the years 1 to 9999 and infinities are refused by MySQL; zero dates (`0000-00-00`) by PostgreSQL',
  },
  {
    kind: 'time',
    shown: 'time(n)',
    postgres: 'time(n)',
    mysql: 'time(n)',
    sqlite: 'TIME',
    note: 'less than 0 or more than 24 hours, as MySQL has them, are refused by PostgreSQL; with a time zone it is text elsewhere',
  },
  {
    kind: 'timestamp',
    shown: 'timestamp(n)',
    postgres: 'timestamp(n)',
    mysql: 'datetime(n)',
    sqlite: 'DATETIME',
    note: 'as for dates; a fraction of a second that there is no room for is refused',
  },
  {
    kind: 'timestamp',
    shown: 'timestamp(n) with time zone',
    postgres: 'timestamptz(n)',
    mysql: 'datetime(n)',
    sqlite: 'TIMESTAMPTZ',
    note: 'always written in UTC',
  },
  {
    kind: 'interval',
    shown: 'interval',
    postgres: 'interval',
    mysql: 'varchar(255)',
    sqlite: 'TEXT',
    note: 'the text of PostgreSQL',
  },
  { kind: 'uuid', shown: 'uuid', postgres: 'uuid', mysql: 'char(36)', sqlite: 'TEXT', note: '' },
  {
    kind: 'json',
    shown: 'json',
    postgres: 'json, jsonb',
    mysql: 'json',
    sqlite: 'TEXT',
    note: 'MySQL (not MariaDB) and `jsonb` keep a form of their own; `json` of other engines becomes `json`, which keeps the text',
  },
  { kind: 'bits', shown: 'bits(n)', postgres: 'bit(n)', mysql: 'bit(n) up to 64, else text', sqlite: 'TEXT', note: '' },
  {
    kind: 'enum',
    shown: 'enum',
    postgres: 'an enum of PostgreSQL itself, else text',
    mysql: 'enum(…)',
    sqlite: 'TEXT',
    note: '',
  },
  { kind: 'set', shown: 'set', postgres: 'text', mysql: 'set(…)', sqlite: 'TEXT', note: 'members with commas between' },
  {
    kind: 'geometry',
    shown: 'geometry',
    postgres: 'bytea',
    mysql: 'geometry',
    sqlite: 'TEXT',
    note: 'well-known binary (EWKB) in hex',
  },
  {
    kind: 'native',
    shown: 'what one engine alone has',
    postgres: 'the same, else text',
    mysql: 'the same, else longtext',
    sqlite: 'TEXT',
    note: 'arrays, ranges, network addresses and composites, in the text of their engine',
  },
  {
    kind: 'any',
    shown: 'a column of SQLite without a type',
    postgres: 'text',
    mysql: 'longtext',
    sqlite: 'the same',
    note: 'the text of each value; a blob in such a column is refused',
  },
];

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
