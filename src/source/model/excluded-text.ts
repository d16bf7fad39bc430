import type { ModelType } from './model-type.ts';
import type { ExcludedValue } from './registry/field-kind.ts';

/** What a restore puts into a column that was left out, as values stand in the archive; undefined for what its type does not take. */
export function excludedText(value: NonNullable<ExcludedValue>, type: ModelType): string | undefined {
  const text = typeof value === 'boolean' ? booleanText(value, type) : String(value);
  if (!text.isWellFormed()) return undefined;
  switch (type.kind) {
    case 'boolean':
      return /^(1|t|true)$/i.test(text) ? 't' : /^(0|f|false)$/i.test(text) ? 'f' : undefined;
    case 'integer':
      return /^-?\d+$/.test(text) ? text : undefined;
    case 'decimal':
    case 'float':
      return /^-?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(text) ? text : undefined;
    case 'bytes':
      return /^\\x([0-9a-f]{2})*$/i.test(text) ? text : text === '' ? '\\x' : undefined;
    case 'enum':
      return type.values.includes(text) ? text : undefined;
    case 'text':
      return type.maximumLength === undefined || [...text].length <= type.maximumLength ? text : undefined;
    default:
      return text;
  }
}

function booleanText(value: boolean, { kind }: ModelType): string {
  if (['integer', 'decimal', 'float', 'bits'].includes(kind)) return value ? '1' : '0';
  return value ? 't' : 'f';
}
