import type { ModelType, ModelTypeKind } from '../model-type.ts';
import { shortestFloat } from '../shortest-float.ts';

/** Turns the text of a value into that of another type; undefined for a value that the other type does not hold as it is. */
export type TextConverter = (text: string) => string | undefined;

/** Kinds that are text to whoever does not know better. */
const textLike: readonly ModelTypeKind[] = [
  'text',
  'json',
  'uuid',
  'enum',
  'set',
  'interval',
  'native',
  'any',
  'bits',
  'date',
  'time',
  'timestamp',
  'geometry',
];
const numbers: readonly ModelTypeKind[] = ['integer', 'decimal', 'float', 'boolean'];

const fromBoolean: TextConverter = (text) => (text === 't' ? '1' : text === 'f' ? '0' : undefined);
const toBoolean: TextConverter = (text) =>
  /^(1|t|true)$/i.test(text) ? 't' : /^(0|f|false)$/i.test(text) ? 'f' : undefined;

/** What one kind becomes on its way to another, where that is more than the same text. */
const conversions: Readonly<Partial<Record<ModelTypeKind, Partial<Record<ModelTypeKind, TextConverter>>>>> = {
  boolean: { integer: fromBoolean, decimal: fromBoolean, bits: fromBoolean },
  integer: { boolean: toBoolean },
  text: { boolean: toBoolean },
  any: { boolean: toBoolean },
  bits: { boolean: toBoolean, integer: (text) => (/^[01]+$/.test(text) ? String(BigInt(`0b${text}`)) : undefined) },
  decimal: { integer: wholeNumber, boolean: toBoolean },
  float: { integer: wholeNumber },
  date: { timestamp: (text) => (/^-?infinity$/.test(text) ? text : text.replace(/^(\S+)( BC)?$/, '$1 00:00:00$2')) },
  timestamp: { date: (text) => /^(\S+) 00:00:00(?:\+00)?( BC)?$/.exec(text)?.slice(1).join('') ?? infinityOf(text) },
  geometry: { bytes: (text) => `\\x${text.toLowerCase()}` },
  bytes: { geometry: (text) => text.slice(2).toUpperCase() },
};

function infinityOf(text: string): string | undefined {
  return /^-?infinity$/.test(text) ? text : undefined;
}

/** Of `2.00`, which an integer is written as elsewhere. */
function wholeNumber(text: string): string | undefined {
  return /^([-+]?\d+)(?:\.0*)?$/.exec(text)?.[1];
}

/** Whether values of one type can be values of the other at all; which of them, their checks and the server tell. */
export function canBecome(source: ModelType, target: ModelType): boolean {
  const [from, to] = [source.kind, target.kind];
  if (from === to || to === 'any' || from === 'any') return true;
  if (conversions[from]?.[to] !== undefined) return true;
  if (from === 'bytes' || to === 'bytes') return false;
  if (numbers.includes(from)) {
    if (from === 'boolean') return to === 'text';
    return (numbers.includes(to) && to !== 'boolean') || to === 'text' || to === 'enum' || to === 'native';
  }
  if (!textLike.includes(from)) return false;
  if (to === 'text') return true;
  if (from === 'text') return true;
  if (from === 'time') return to === 'interval';
  if (from === 'interval') return to === 'time';
  return (
    ['json', 'uuid', 'enum', 'set', 'native'].includes(from) && ['enum', 'set', 'native', 'json', 'uuid'].includes(to)
  );
}

/** What is done with each text of a value, by the two types; undefined where it stays as it is. */
export function converterFor(source: ModelType, target: ModelType): TextConverter | undefined {
  const steps = [conversions[source.kind]?.[target.kind], zoneStep(source, target), limitOf(source, target)].filter(
    (step) => step !== undefined,
  );
  if (steps.length === 0) return undefined;
  return (text) => {
    let made: string | undefined = text;
    for (const step of steps) {
      made = step(made);
      if (made === undefined) return undefined;
    }
    return made;
  };
}

/** A moment without a zone is one of UTC, and the other way. */
function zoneStep(source: ModelType, target: ModelType): TextConverter | undefined {
  if (source.kind !== 'timestamp' || target.kind !== 'timestamp' || source.hasZone === target.hasZone) return undefined;
  if (target.hasZone) return (text) => (/infinity$/.test(text) ? text : text.replace(/( BC)?$/, '+00$1'));
  return (text) => {
    if (/infinity$/.test(text)) return text;
    return /[+-]\d\d(:?\d\d)*( BC)?$/.test(text) ? text.replace(/\+00( BC)?$/, '$1') : text;
  };
}

/** What a server would round or cut without a word. */
function limitOf(source: ModelType, target: ModelType): TextConverter | undefined {
  switch (target.kind) {
    case 'decimal': {
      const { precision, scale = 0 } = target;
      if (precision === undefined) return undefined;
      const isWithin =
        source.kind === 'decimal' &&
        source.precision !== undefined &&
        (source.scale ?? 0) <= scale &&
        source.precision - (source.scale ?? 0) <= precision - scale;
      return isWithin ? undefined : (text) => (fitsDecimal(text, precision, scale) ? text : undefined);
    }
    case 'float':
      return floatLimit(source, target.bits);
    case 'time':
    case 'timestamp': {
      const { precision } = target;
      const isWithin = source.kind === target.kind && source.precision <= precision;
      return isWithin || precision >= 6 ? undefined : (text) => (secondDigits(text) <= precision ? text : undefined);
    }
    case 'text': {
      const { maximumLength } = target;
      if (maximumLength === undefined) return undefined;
      const isWithin = source.kind === 'text' && (source.maximumLength ?? Infinity) <= maximumLength;
      return isWithin ? undefined : (text) => (lengthOf(text) <= maximumLength ? text : undefined);
    }
    case 'bits':
      return target.length === undefined || source.kind === 'boolean'
        ? undefined
        : (text) => (text.length === target.length ? text : undefined);
    default:
      return undefined;
  }
}

/** Whether all digits have their place; a scale below zero has none for the last ones. */
function fitsDecimal(text: string, precision: number, scale: number): boolean {
  const match = /^[-+]?(\d*)\.?(\d*)(?:e([-+]?\d+))?$/i.exec(text);
  // What is no finite number is for the server to judge.
  if (match === null) return true;
  const [, whole = '', fraction = '', exponent = '0'] = match;
  const shift = Number(exponent);
  const digits = `${whole}${fraction}`;
  const significant = digits.replace(/0+$/, '');
  const lastPlace = fraction.length - shift - (digits.length - significant.length);
  const leading = digits.replace(/^0+/, '').length;
  const wholeDigits = leading === 0 ? 0 : leading - fraction.length + shift;
  return significant.replace(/^0+/, '') === '' || (lastPlace <= scale && wholeDigits <= precision - scale);
}

const exactDigits = 15;

function floatLimit(source: ModelType, bits: 32 | 64): TextConverter | undefined {
  if (source.kind === 'float' && source.bits <= bits) return undefined;
  if (source.kind === 'float') {
    return (text) => {
      const value = Number(text);
      // What is written alike with 32 bits is the same number to whoever reads it.
      const isKept = !Number.isFinite(value) || Number(shortestFloat(Math.fround(value))) === value;
      return isKept ? text : undefined;
    };
  }
  // A decimal of few digits comes back from a float as it was.
  return (text) => (digitsOf(text) <= (bits === 64 ? exactDigits : 6) ? text : undefined);
}

/** Significant digits of a decimal number. */
export function digitsOf(text: string): number {
  const digits = text.replace(/e.*$/i, '').replace(/\D/g, '').replace(/^0+/, '');
  return text.includes('.') ? digits.replace(/0+$/, '').length : digits.length;
}

function secondDigits(text: string): number {
  return /:\d\d\.(\d*?)0*(?:$|[^\d])/.exec(text)?.[1]?.length ?? 0;
}

function lengthOf(text: string): number {
  let length = text.length;
  if (/[\ud800-\udbff]/.test(text)) length = [...text].length;
  return length;
}
