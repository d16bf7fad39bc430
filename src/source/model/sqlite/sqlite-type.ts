import type { ModelType } from '../model-type.ts';

/** The type that the declaration of a column tells, after the rules of affinity (sqlite.org/datatype3.html, section 3.1). */
export function modelTypeOf(declared: string): ModelType {
  const name = declared.toUpperCase();
  if (name === '' || name === 'ANY') return { kind: 'any' };
  if (/^BOOL/.test(name)) return { kind: 'boolean' };
  if (/JSON/.test(name)) return { kind: 'json' };
  if (/UUID|GUID/.test(name)) return { kind: 'uuid' };
  // SQLite stores any integer in any column of this affinity.
  if (name.includes('INT')) return { kind: 'integer', bits: 64, isUnsigned: false };
  if (/CHAR|CLOB|TEXT/.test(name)) return { kind: 'text' };
  if (name.includes('BLOB')) return { kind: 'bytes' };
  if (/REAL|FLOA|DOUB/.test(name)) return { kind: 'float', bits: 64 };
  if (/^(DATETIME|TIMESTAMP)/.test(name)) return { kind: 'timestamp', precision: 6, hasZone: /TZ|WITH/.test(name) };
  if (/^DATE/.test(name)) return { kind: 'date' };
  if (/^TIME/.test(name)) return { kind: 'time', precision: 6, hasZone: /TZ|WITH/.test(name) };
  const [, precision, scale] = /^(?:DECIMAL|NUMERIC|NUMBER)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?/.exec(name) ?? [];
  if (precision !== undefined)
    return { kind: 'decimal', precision: Number(precision), ...(scale === undefined ? {} : { scale: Number(scale) }) };
  return /^(DECIMAL|NUMERIC|NUMBER)/.test(name) ? { kind: 'decimal' } : { kind: 'any' };
}

/** Whether values of a column that is declared so lose digits beyond 15: numeric affinity stores them as numbers. */
export function hasNumericAffinity(declared: string): boolean {
  const name = declared.toUpperCase();
  return !/INT|CHAR|CLOB|TEXT|BLOB|REAL|FLOA|DOUB/.test(name) && name !== '' && name !== 'ANY';
}
