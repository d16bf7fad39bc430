import type { ModelType } from '../model-type.ts';

/** What the catalog says of a column's type. */
export interface CatalogType {
  /** `pg_type.typname`; of a domain, that of what it is a domain of. */
  readonly name: string;
  /** `pg_catalog` for the server's own. */
  readonly schema: string;
  /** `b`, `e`, `c`, `r`, `m`. */
  readonly kind: string;
  readonly isArray: boolean;
  /** `pg_attribute.atttypmod`; -1 for none. */
  readonly modifier: number;
  readonly labels: readonly string[] | null;
}

/** Modifiers of lengths and precisions count their own four bytes. */
const modifierOffset = 4;

const plain: Readonly<Record<string, ModelType>> = {
  bool: { kind: 'boolean' },
  int2: { kind: 'integer', bits: 16, isUnsigned: false },
  int4: { kind: 'integer', bits: 32, isUnsigned: false },
  int8: { kind: 'integer', bits: 64, isUnsigned: false },
  oid: { kind: 'integer', bits: 32, isUnsigned: true },
  float4: { kind: 'float', bits: 32 },
  float8: { kind: 'float', bits: 64 },
  bytea: { kind: 'bytes' },
  date: { kind: 'date' },
  interval: { kind: 'interval' },
  uuid: { kind: 'uuid' },
  json: { kind: 'json' },
  jsonb: { kind: 'json' },
  text: { kind: 'text' },
  name: { kind: 'text', maximumLength: 63 },
  citext: { kind: 'text' },
  geometry: { kind: 'geometry' },
};

/** The type of a column, apart from the engine. */
export function modelTypeOf({ name, schema, kind, isArray, modifier, labels }: CatalogType): ModelType {
  if (isArray) return { kind: 'native' };
  if (kind === 'e') {
    return { kind: 'enum', values: labels ?? [], typeName: name };
  }
  const isKnown = schema === 'pg_catalog' || name === 'citext' || name === 'geometry';
  if (!isKnown || kind !== 'b') return { kind: 'native' };
  const known = plain[name];
  if (known !== undefined) return known;
  switch (name) {
    case 'numeric':
      return decimalType(modifier);
    case 'varchar':
    case 'bpchar':
      return modifier < 0 ? { kind: 'text' } : { kind: 'text', maximumLength: modifier - modifierOffset };
    case 'time':
    case 'timetz':
      return { kind: 'time', precision: modifier < 0 ? 6 : modifier, hasZone: name === 'timetz' };
    case 'timestamp':
    case 'timestamptz':
      return { kind: 'timestamp', precision: modifier < 0 ? 6 : modifier, hasZone: name === 'timestamptz' };
    case 'bit':
      return { kind: 'bits', length: modifier };
    case 'varbit':
      return { kind: 'bits' };
    default:
      return { kind: 'native' };
  }
}

/** `numeric(precision, scale)`, whose scale may be below zero: eleven bits. */
function decimalType(modifier: number): ModelType {
  if (modifier < 0) return { kind: 'decimal' };
  const packed = modifier - modifierOffset;
  const scale = ((packed & 0x7ff) ^ 1024) - 1024;
  return { kind: 'decimal', precision: packed >> 16, scale };
}
