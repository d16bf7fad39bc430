/** Values at the limits of every type of PostgreSQL, as text; what a random row takes between them. */
import type { SeededRandom } from '../../src/testing/seeded-random.ts';

const controls = Array.from({ length: 31 }, (_, index) => String.fromCodePoint(index + 1)).join('');

/** Texts that a dump may get wrong: escapes of `COPY`, controls, nothing at all, four bytes a character. */
export const awkwardTexts: readonly string[] = [
  '',
  ' ',
  '\\N',
  '\\.',
  '\\',
  'NULL',
  'null',
  '"',
  "'",
  "it's \\' \\\\ $$ $1 ; -- /* */",
  controls,
  `\u007f\u0080\u009f\u00ad\u2028\ufeff`,
  'line\nline\r\nline\rtab\ttab\vend\f\b',
  'Größe – 値 – 💾👩‍👩‍👧 – e\u0301 – \u202eleft',
  '\u{10ffff}\uffff\ud7ff\ue000',
  '{a,"b",NULL}',
  '(1,"x""y",)',
  'a'.repeat(3000),
  '\n',
  '\t\n\\\t',
];

/** As a quoted element of an array, a composite or an hstore. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Each type with values of it. Every value is in some row. */
export const postgresValues: Readonly<Record<string, readonly string[]>> = {
  smallint: ['-32768', '32767', '0'],
  integer: ['-2147483648', '2147483647', '0'],
  bigint: ['-9223372036854775808', '9223372036854775807', '0', '9007199254740993'],
  numeric: ['NaN', 'Infinity', '-Infinity', '0', '0.000', '-1.50', `${'9'.repeat(200)}.${'1'.repeat(200)}`, '1e-500'],
  'numeric(30,10)': ['99999999999999999999.9999999999', '-0.0000000001', 'NaN'],
  'numeric(3,-2)': ['12300', '-99900'],
  real: ['NaN', 'Infinity', '-Infinity', '-0', '1e-45', '3.4028235e38', '0.1', '16777217'],
  'double precision': [
    'NaN',
    'Infinity',
    '-Infinity',
    '-0',
    '5e-324',
    '1.7976931348623157e308',
    '0.1',
    '0.30000000000000004',
  ],
  money: ['-92233720368547758.08', '92233720368547758.07', '0', '1234.56'],
  boolean: ['true', 'false'],
  'character(5)': ['', 'a', '12345', 'é💾', 'a   b'],
  'character varying(20)': ['', '  padded  ', '💾'.repeat(20), '\\N'],
  text: awkwardTexts,
  'text COLLATE "C"': ['a', 'B', 'ä'],
  name: ['', 'x'.repeat(63), "it's"],
  '"char"': ['a', '', '\\377', '\\'],
  bytea: [
    '\\x',
    '\\x00',
    `\\x${Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join('')}`,
  ],
  date: ['-infinity', 'infinity', '4713-01-01 BC', '5874897-12-31', '0001-01-01', '2000-02-29'],
  time: ['00:00:00', '24:00:00', '23:59:59.999999'],
  'time(0)': ['12:00:00'],
  timetz: ['00:00:00+15:59:59', '24:00:00-15:59:59', '12:34:56.789012-03:30'],
  timestamp: [
    '-infinity',
    'infinity',
    '4714-11-24 00:00:00 BC',
    '294276-12-31 23:59:59.999999',
    '2000-01-01 00:00:00.000001',
  ],
  timestamptz: [
    '-infinity',
    'infinity',
    '4714-11-24 00:00:00+00 BC',
    '294276-12-31 23:59:59.999999+00',
    '2021-10-31 02:30:00+02',
  ],
  interval: [
    '0',
    '178000000 years',
    '-178000000 years',
    '-1 mon +1 day -00:00:00.000001',
    '1 year -1 mon',
    '2147483647 days',
  ],
  'interval day to second(3)': ['1 day 02:03:04.567'],
  point: ['(0,-0)', '(NaN,Infinity)', '(1e300,-1e-300)'],
  line: ['{1,2,3}', '{0.1,-0,5e-324}'],
  lseg: ['[(0,0),(1,1)]'],
  box: ['(1,1),(-1,-1)'],
  path: ['[(0,0),(1,1)]', '((0,0),(1,1),(2,0))'],
  polygon: ['((0,0),(1,1),(2,0))'],
  circle: ['<(0,0),1.5>', '<(1,2),0>'],
  inet: ['127.0.0.1', '10.1.2.3/8', '::1', 'fe80::1/10', '::ffff:1.2.3.4'],
  cidr: ['10.0.0.0/8', '::/0', '2001:db8::/32'],
  macaddr: ['00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff'],
  macaddr8: ['08:00:2b:01:02:03:04:05'],
  'bit(7)': ['0000000', '1010101'],
  'bit varying': ['', '1', '0'.repeat(100)],
  uuid: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  xml: ['', '<a b="c&amp;d">é<!-- x --></a>', 'text, <b/>', '<?xml version="1.0"?><a/>'],
  json: ['null', '{"b": 1, "a":  [1, 2.50, 1e400],  "b": 2}', '"\\u0000 \\ud83d\\udcbe"', ' [ ] '],
  jsonb: [
    'null',
    '{"b": 1, "a": [1, 2.50, true], "": {}}',
    '"quo\\"te \\\\ 💾"',
    '123456789012345678901234567890.5',
    '[]',
  ],
  jsonpath: ['$."a b"[*] ? (@ > 1)', 'strict $'],
  tsvector: ['', "'a':1A,2B 'it''s':3", "'back\\\\slash' 'sp ace'"],
  tsquery: ['', "'fat' & ( 'rat' | !'cat':AB* ) <2> 'x'"],
  int4range: ['empty', '(,)', '[-2147483648,5)', '[1,)'],
  int8range: ['[1,9223372036854775807)'],
  numrange: ['(0.1,0.20]', '[NaN,NaN]', 'empty'],
  tsrange: ['["2020-01-01 00:00:00","2020-01-02 00:00:00")', '[-infinity,infinity]'],
  tstzrange: ['["2020-01-01 00:00:00+00",)'],
  daterange: ['[2020-01-01,2020-02-01)', '(,2020-01-01)'],
  int4multirange: ['{}', '{[1,3),[5,7)}', '{(,)}'],
  nummultirange: ['{[0.5,1.50],(2,)}'],
  datemultirange: ['{[2020-01-01,2020-02-01),[2021-01-01,)}'],
  pg_lsn: ['0/0', 'FFFFFFFF/FFFFFFFF'],
  pg_snapshot: ['10:20:10,14,15'],
  oid: ['0', '4294967295'],
  xid8: ['18446744073709551615'],
  regclass: ['pg_catalog.pg_class', '-'],
  'integer[]': ['{}', '{1,NULL,3}', '[0:1]={1,2}', '{{1,2},{3,4}}', '[2:3][-1:0]={{1,2},{3,4}}'],
  'text[]': ['{}', '{NULL,"NULL",""}', `{${awkwardTexts.map(quoted).join(',')}}`],
  'bytea[]': ['{"\\\\x","\\\\x00ff"}'],
  'jsonb[]': ['{"{\\"a\\": 1}",NULL}'],
  'timestamptz[]': ['{infinity,"2020-01-01 00:00:00+00"}'],
  'shop.mood': ['sad', 'ok', 'it\'s, "great"', 'größer', ''],
  'shop.mood[]': ['{sad,"it\'s, \\"great\\"",""}', '{}'],
  'shop.size': ['(,,)', '(1.50,NaN,"a ""quoted"", note")', '(,,"")', '(0,0,"\\\\ \n")'],
  'shop.size[]': ['{"(1,2,\\"a \\\\\\"b\\\\\\"\\")",NULL}'],
  'shop.span': ['[0.1,0.2)', 'empty', '(,)'],
  'shop.positives': ['{}', '{1,2147483647}'],
};

/** A random text of some of the awkward ones and of any characters. */
export function randomText(random: SeededRandom, length: number): string {
  let text = '';
  while (text.length < length) {
    const kind = random.integer(4);
    if (kind === 0) text += awkwardTexts[random.integer(17)] ?? '';
    else if (kind === 1) text += String.fromCodePoint(0x10000 + random.integer(0xffff));
    else text += String.fromCodePoint(1 + random.integer(0x2ff));
  }
  return text;
}
