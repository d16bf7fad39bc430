import { quoteText } from '../../mysql/sql-text.ts';
import { hexDigits } from '../hex-bytes.ts';
import type { ModelColumn } from '../model.ts';
import { storedGeometry } from './mysql-value.ts';

const number = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const moment = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d(?:\.\d+)?))?(?:Z|\+00(?::?00)?)?$/;
const largestFloat = 3.4028235e38;

/** How a column's values are written in a statement; undefined for one that it cannot hold. */
export function literalOf(column: ModelColumn): (text: string) => string | undefined {
  const { type } = column;
  switch (type.kind) {
    case 'integer':
    case 'decimal':
      return (text) => (number.test(text) ? text : undefined);
    case 'float':
      return (text) => {
        if (!number.test(text) || (type.bits === 32 && Math.abs(Number(text)) > largestFloat)) return undefined;
        // A number of other types has no sign where it is zero.
        return /e/i.test(text) ? text : `${text}e0`;
      };
    case 'bytes':
      return (text) => {
        const digits = hexDigits(text);
        return digits === undefined ? undefined : `x'${digits}'`;
      };
    case 'geometry':
      return (text) => {
        const stored = storedGeometry(text);
        return stored === undefined ? undefined : `x'${stored.toString('hex')}'`;
      };
    case 'bits':
      return (text) => (/^[01]+$/.test(text) ? `b'${text}'` : undefined);
    case 'date':
      return (text) => (/^\d{4}-\d\d-\d\d$/.test(text) ? `'${text}'` : undefined);
    case 'timestamp':
      return (text) => {
        const [, day, time = '00:00:00'] = moment.exec(text) ?? [];
        return day === undefined ? undefined : `'${day} ${time}'`;
      };
    case 'time':
      return (text) => (/^-?\d{1,3}:\d\d:\d\d(\.\d+)?$/.test(text) ? `'${text}'` : undefined);
    default:
      return quoteText;
  }
}
