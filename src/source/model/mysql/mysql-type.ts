import type { ModelType } from '../model-type.ts';

/** What `information_schema.columns` says of a type. */
export interface CatalogType {
  /** `varchar` */
  readonly name: string;
  /** `varchar(40)`, `enum('a','b')`, `int(10) unsigned zerofill` */
  readonly full: string;
  readonly length: number | undefined;
  readonly precision: number | undefined;
  readonly scale: number | undefined;
  readonly secondDigits: number;
  /** Whether a check keeps it to JSON: how MariaDB spells that type. */
  readonly isJson: boolean;
}

const integerBits: Readonly<Record<string, 8 | 16 | 24 | 32 | 64>> = {
  tinyint: 8,
  smallint: 16,
  mediumint: 24,
  int: 32,
  bigint: 64,
  year: 16,
};

const geometries = new Set([
  'geometry',
  'point',
  'linestring',
  'polygon',
  'multipoint',
  'multilinestring',
  'multipolygon',
  'geometrycollection',
  'geomcollection',
]);

/** The type of a column, apart from the engine. */
export function modelTypeOf(type: CatalogType): ModelType {
  const { name, full, length, precision, scale, secondDigits, isJson } = type;
  if (isJson || name === 'json') return { kind: 'json' };
  const bits = integerBits[name];
  if (bits !== undefined) return { kind: 'integer', bits, isUnsigned: /unsigned/.test(full) || name === 'year' };
  if (geometries.has(name)) return { kind: 'geometry' };
  const limited = length === undefined ? {} : { maximumLength: length };
  switch (name) {
    case 'decimal':
      return { kind: 'decimal', precision: precision ?? 10, scale: scale ?? 0 };
    case 'float':
      return { kind: 'float', bits: 32 };
    case 'double':
      return { kind: 'float', bits: 64 };
    case 'bit':
      return { kind: 'bits', length: precision ?? 1 };
    case 'date':
      return { kind: 'date' };
    case 'time':
    case 'datetime':
      return { kind: name === 'time' ? 'time' : 'timestamp', precision: secondDigits, hasZone: false };
    case 'timestamp':
      return { kind: 'timestamp', precision: secondDigits, hasZone: true };
    case 'enum':
    case 'set':
      return { kind: name, values: members(full) };
    case 'uuid':
      return { kind: 'uuid' };
    case 'inet4':
    case 'inet6':
      return { kind: 'native' };
    default:
      if (/binary|blob/.test(name)) return { kind: 'bytes', ...limited };
      return /char|text/.test(name) ? { kind: 'text', ...limited } : { kind: 'native' };
  }
}

/** The members of `enum('a','it''s')`. */
function members(full: string): string[] {
  const quoted = full.slice(full.indexOf('(') + 1, full.lastIndexOf(')'));
  return [...quoted.matchAll(/'((?:[^']|'')*)'/g)].map(([, text = '']) => text.replaceAll("''", "'"));
}
