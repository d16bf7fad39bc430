import { hexDigits } from '../hex-bytes.ts';
import type { ModelTypeKind } from '../model-type.ts';
import type { LineValue } from '../tagged-value.ts';

/** What SQLite gives and takes; integers as `bigint`. */
export type SqliteValue = null | bigint | number | string | Uint8Array;

/** How a finite or infinite number is written, so that it is told from an integer: SQLite has no NaN. */
export function realText(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/** The value as it stands in a line of JSON, for a column of this type. */
export function encodeValue(kind: ModelTypeKind, value: SqliteValue): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return isTextKind(kind) ? JSON.stringify(value) : tagged('text', value);
  if (typeof value === 'bigint') {
    if (kind === 'boolean' && (value === 0n || value === 1n)) return value === 1n ? '"t"' : '"f"';
    return kind === 'integer' || kind === 'decimal' ? `"${value}"` : tagged('integer', String(value));
  }
  if (typeof value === 'number') {
    const text = realText(value);
    return kind === 'float' || kind === 'decimal' ? `"${text}"` : tagged('real', text);
  }
  const hex = `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  return kind === 'bytes' ? JSON.stringify(hex) : tagged('blob', hex);
}

function tagged(name: string, text: string): string {
  return JSON.stringify({ [name]: text });
}

function isTextKind(kind: ModelTypeKind): boolean {
  return !['boolean', 'integer', 'decimal', 'float', 'bytes'].includes(kind);
}

/** What SQLite is given for a value of a column of this type; undefined for a text that is none of the type. */
export function decodeValue(kind: ModelTypeKind, value: LineValue): SqliteValue | undefined {
  if (value === null) return null;
  if (typeof value !== 'string') {
    if (value.integer !== undefined) return integerOf(value.integer);
    if (value.real !== undefined) return realOf(value.real);
    if (value.text !== undefined) return value.text;
    return value.blob === undefined ? undefined : blobOf(value.blob);
  }
  switch (kind) {
    case 'boolean':
      return value === 't' ? 1n : value === 'f' ? 0n : undefined;
    case 'integer':
      return integerOf(value);
    case 'decimal':
      return /^-?\d+$/.test(value) ? (integerOf(value) ?? realOf(value)) : realOf(value);
    case 'float':
      return realOf(value);
    case 'bytes':
      return blobOf(value);
    default:
      return value;
  }
}

const largest = 2n ** 63n;

/** So many characters are within 64 bits, whatever they are. */
const shortLength = 18;

function integerOf(text: string): bigint | undefined {
  if (text.length <= shortLength && isDigits(text)) return BigInt(text);
  if (!/^[-+]?\d{1,40}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value < largest && value >= -largest ? value : undefined;
}

function isDigits(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return false;
  }
  return text !== '';
}

/** NaN would become NULL. */
function realOf(text: string): number | undefined {
  if (!/^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$|^-?Infinity$/i.test(text)) return undefined;
  return Number(text);
}

function blobOf(text: string): Uint8Array | undefined {
  const digits = hexDigits(text);
  return digits === undefined ? undefined : Buffer.from(digits, 'hex');
}
