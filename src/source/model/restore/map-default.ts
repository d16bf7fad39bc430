import type { ModelEngine } from '../model.ts';
import type { ModelType } from '../model-type.ts';
import { familyOf } from './map-type.ts';

const now = /^(now\(\)|current_timestamp(\(\d*\))?|datetime\('now'\)|\(datetime\('now'\)\))$/i;

/** A default of another engine: plain values and the current time are kept; undefined for what else an expression does. */
export function mapDefault(sql: string, source: ModelType, target: ModelType, engine: ModelEngine): string | undefined {
  const text = sql.trim();
  const isMysql = familyOf(engine) === 'mysql';
  if (now.test(text)) {
    if (target.kind !== 'timestamp') return undefined;
    return isMysql ? `CURRENT_TIMESTAMP(${target.precision})` : 'CURRENT_TIMESTAMP';
  }
  const value = literalOf(text);
  if (value === undefined) return undefined;
  if (source.kind === 'boolean' || target.kind === 'boolean') {
    const isTrue = /^(true|t|1)$/i.test(value);
    if (!isTrue && !/^(false|f|0)$/i.test(value)) return undefined;
    return target.kind === 'boolean' && engine === 'postgres' ? String(isTrue) : isTrue ? '1' : '0';
  }
  if (['integer', 'decimal', 'float'].includes(target.kind)) return /^-?\d+(\.\d+)?$/.test(value) ? value : undefined;
  const isPlain = ['text', 'enum', 'set', 'uuid'].includes(target.kind);
  // Texts of unlimited length have no default in older servers.
  if (!isPlain || (isMysql && target.kind === 'text' && target.maximumLength === undefined)) return undefined;
  return `'${value.replaceAll("'", "''").replaceAll(isMysql ? '\\' : '\0', isMysql ? '\\\\' : '')}'`;
}

/** The value of `'it''s'::text`, `-1`, `true`. */
function literalOf(text: string): string | undefined {
  const bare = text.replace(/^\((.*)\)$/, '$1').replace(/::[\w ."]+(\(\d+(,\d+)?\))?$/, '');
  if (/^-?\d+(\.\d+)?$|^(true|false)$/i.test(bare)) return bare;
  const quoted = /^'((?:[^'\\]|'')*)'$/.exec(bare)?.[1];
  return quoted?.replaceAll("''", "'");
}
