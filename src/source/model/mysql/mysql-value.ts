import { quoteName } from '../../mysql/sql-text.ts';
import type { ModelColumn } from '../model.ts';
import { shortestFloat } from '../shortest-float.ts';

/** What is asked for so that the server writes the exact value of a column. */
export function valueExpression({ name, type, nativeType }: ModelColumn): string {
  const quoted = quoteName(name);
  // Six digits are what the server writes of a float by itself.
  if (type.kind === 'float' && type.bits === 32) return `${quoted} * 1e0`;
  if (type.kind === 'bits') return `BIN(${quoted} + 0)`;
  return type.kind === 'integer' && /zerofill/.test(nativeType) ? `${quoted} + 0` : quoted;
}

/** The value as it stands in a line of JSON, from the bytes that the server wrote. */
export type ValueEncoder = (bytes: Buffer) => string;

/** How values of a column become JSON. */
export function valueEncoder({ type, nativeType }: ModelColumn): ValueEncoder {
  switch (type.kind) {
    case 'bytes':
      return (bytes) => `"\\\\x${bytes.toString('hex')}"`;
    case 'geometry':
      return (bytes) => `"${wellKnownBinary(bytes).toString('hex').toUpperCase()}"`;
    case 'integer':
    case 'date':
      return (bytes) => `"${bytes.toString('latin1')}"`;
    case 'decimal':
      return /zerofill/.test(nativeType)
        ? (bytes) => `"${bytes.toString('latin1').replace(/^(-?)0+(?=\d)/, '$1')}"`
        : (bytes) => `"${bytes.toString('latin1')}"`;
    case 'float':
      return type.bits === 32
        ? (bytes) => `"${shortestFloat(Number(bytes.toString('latin1')))}"`
        : (bytes) => `"${bytes.toString('latin1')}"`;
    case 'bits':
      return (bytes) => `"${bytes.toString('latin1').padStart(type.length ?? 1, '0')}"`;
    case 'time':
    case 'timestamp':
      return (bytes) => `"${withoutZeros(bytes.toString('latin1'))}${type.hasZone ? '+00' : ''}"`;
    default:
      return (bytes) => JSON.stringify(bytes.toString('utf8'));
  }
}

/** `12:00:00.120000` as `12:00:00.12`. */
function withoutZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

const sridSizeBytes = 4;
const typeOffset = 5;
const hasSridFlag = 0x2000_0000;

/**
 * The server keeps four bytes of a reference system before well-known binary (dev.mysql.com, "Internal Geometry Storage Format"); in the
 * archive it stands where PostGIS puts it (EWKB), and not at all where it is 0.
 */
function wellKnownBinary(stored: Buffer): Buffer {
  const srid = stored.readUInt32LE(0);
  const binary = Buffer.from(stored.subarray(sridSizeBytes));
  if (srid === 0) return binary;
  const head = Buffer.alloc(typeOffset + sridSizeBytes);
  head[0] = binary[0] ?? 1;
  head.writeUInt32LE((binary.readUInt32LE(1) | hasSridFlag) >>> 0, 1);
  head.writeUInt32LE(srid, typeOffset);
  return Buffer.concat([head, binary.subarray(typeOffset)]);
}

/** The other way: undefined for what is no little-endian well-known binary in hex. */
export function storedGeometry(hex: string): Buffer | undefined {
  if (!/^01[0-9a-f]{8}/i.test(hex) || /[^0-9a-f]/i.test(hex) || hex.length % 2 !== 0) return undefined;
  const bytes = Buffer.from(hex, 'hex');
  const type = bytes.readUInt32LE(1);
  const srid = Buffer.alloc(sridSizeBytes);
  if ((type & hasSridFlag) === 0) return Buffer.concat([srid, bytes]);
  if (bytes.length < typeOffset + sridSizeBytes) return undefined;
  bytes.copy(srid, 0, typeOffset, typeOffset + sridSizeBytes);
  const head = Buffer.alloc(typeOffset);
  head[0] = 1;
  head.writeUInt32LE((type & ~hasSridFlag) >>> 0, 1);
  return Buffer.concat([srid, head, bytes.subarray(typeOffset + sridSizeBytes)]);
}
