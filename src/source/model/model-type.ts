/**
 * What a column holds, apart from any engine. Values of a type have one written form in every archive, whatever engine they came from:
 * `docs/reference/model-values.md`.
 */
export type ModelType =
  | { readonly kind: 'boolean' | 'date' | 'interval' | 'uuid' | 'json' | 'geometry' | 'any' }
  | { readonly kind: 'integer'; readonly bits: 8 | 16 | 24 | 32 | 64; readonly isUnsigned: boolean }
  /** Without a precision: as many digits as there are. */
  | { readonly kind: 'decimal'; readonly precision?: number; readonly scale?: number }
  | { readonly kind: 'float'; readonly bits: 32 | 64 }
  /** `maximumLength` in characters. */
  | { readonly kind: 'text'; readonly maximumLength?: number }
  | { readonly kind: 'bytes'; readonly maximumLength?: number }
  /** `precision`: digits of a second. */
  | { readonly kind: 'time' | 'timestamp'; readonly precision: number; readonly hasZone: boolean }
  | { readonly kind: 'bits'; readonly length?: number }
  /** `typeName`: that of the type where the engine has named ones. */
  | { readonly kind: 'enum'; readonly values: readonly string[]; readonly typeName?: string }
  | { readonly kind: 'set'; readonly values: readonly string[] }
  /** What only its own engine has, in the text that the engine writes: arrays, ranges, network addresses, composites. */
  | { readonly kind: 'native' };

/** A name of a {@link ModelType}. */
export type ModelTypeKind = ModelType['kind'];

/** For messages: `decimal(10,2)`. */
export function typeText(type: ModelType): string {
  switch (type.kind) {
    case 'integer':
      return `${type.isUnsigned ? 'unsigned ' : ''}integer of ${type.bits} bits`;
    case 'decimal':
      return type.precision === undefined ? 'decimal' : `decimal(${type.precision},${type.scale ?? 0})`;
    case 'float':
      return `float of ${type.bits} bits`;
    case 'text':
    case 'bytes':
      return type.maximumLength === undefined ? type.kind : `${type.kind}(${type.maximumLength})`;
    case 'time':
    case 'timestamp':
      return `${type.kind}(${type.precision})${type.hasZone ? ' with time zone' : ''}`;
    case 'bits':
      return type.length === undefined ? 'bits' : `bits(${type.length})`;
    default:
      return type.kind;
  }
}
