/** Values at the limits of every type of MariaDB, as expressions of SQL. */

function text(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

const controls = Array.from({ length: 32 }, (_, index) => String.fromCodePoint(index)).join('');
const allBytes = `x'${Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join('')}'`;

/** Texts that a dump may get wrong: escapes, controls with NUL, nothing at all, four bytes a character. */
const awkwardTexts: readonly string[] = [
  '',
  ' ',
  'NULL',
  '\\N',
  '\\',
  '\\0\\n',
  '"',
  "'",
  "it's \\' \\\\ ; -- /* */ /*!40101 x */ `",
  "'); DROP TABLE x; -- ",
  controls,
  '\u007f\u0080\u009f\u2028\ufeff',
  'line\nline\r\nline\rtab\t\u001a',
  'Größe – 値 – 💾👩‍👩‍👧 – e\u0301',
  '\u{10ffff}\uffff\ue000',
  'a'.repeat(3000),
  '\n',
].map(text);

/** Each type with values of it. Every value is in some row. */
export const mariadbValues: Readonly<Record<string, readonly string[]>> = {
  tinyint: ['-128', '127', '0'],
  'tinyint unsigned': ['255'],
  'tinyint(1)': ['1', '0', '-1'],
  smallint: ['-32768', '32767'],
  'mediumint unsigned': ['16777215'],
  int: ['-2147483648', '2147483647'],
  'int(8) unsigned zerofill': ['42', '4294967295'],
  bigint: ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
  'bigint unsigned': ['18446744073709551615', '0'],
  'decimal(65,30)': [`${'9'.repeat(35)}.${'9'.repeat(30)}`, `-0.${'0'.repeat(29)}1`, '0'],
  'decimal(65,0)': [`-${'9'.repeat(65)}`],
  'decimal(5,2) unsigned zerofill': ['1.5'],
  float: ['3.40282e38', '-1.5e-38', '0.1', '-0e0', '123456'],
  'float unsigned': ['0.5'],
  double: ['1.7976931348623157e308', '5e-324', '0.1', '0.30000000000000004', '-0e0', '9007199254740993'],
  'bit(1)': ["b'1'", "b'0'"],
  'bit(7)': ["b'1010101'"],
  'bit(64)': ['18446744073709551615', '0', "b'100000000'"],
  boolean: ['true', 'false'],
  date: ["'0000-00-00'", "'2020-00-00'", "'2020-02-00'", "'9999-12-31'", "'1000-01-01'", "'0001-01-01'"],
  datetime: ["'0000-00-00 00:00:00'", "'9999-12-31 23:59:59'", "'2020-01-00 10:00:00'"],
  'datetime(6)': ["'9999-12-31 23:59:59.999999'", "'2020-01-01 00:00:00.000001'"],
  'timestamp NULL': [
    "'0000-00-00 00:00:00'",
    "'1970-01-01 00:00:01'",
    "'2038-01-19 03:14:07'",
    "'2021-10-31 00:30:00'",
  ],
  'timestamp(6) NULL': ["'2020-01-01 00:00:00.123456'", "'2021-10-31 01:30:00.5'"],
  time: ["'-838:59:59'", "'838:59:59'", "'00:00:00'"],
  'time(6)': ["'-838:59:59.999999'", "'-00:00:00.000001'"],
  year: ['1901', '2155', '0000'],
  'char(5)': ["''", "'a'", "'é💾'", "'12345'"],
  'varchar(3000)': awkwardTexts,
  tinytext: ["''", "'a'"],
  text: awkwardTexts,
  'mediumtext COLLATE utf8mb4_bin': ["repeat('💾', 50000)"],
  longtext: ["''", "repeat('it''s ', 40000)"],
  'binary(4)': ["x'00'", "x'ff00ff5c'", "''"],
  'varbinary(300)': [allBytes, "''", "x'00'", "x'5c30'", "x'1a0a0d00'"],
  tinyblob: [allBytes.slice(0, 500).concat("'"), "''"],
  blob: [allBytes, "''", "x'efbbbf'", "x'c328'"],
  mediumblob: ["repeat(x'00ff', 100000)"],
  longblob: ["''", "x'00'"],
  json: ["'null'", '\'{"b": 1, "a": [1, 2.50, 1e400], "b": 2}\'', '\'"\\\\u0000 💾"\'', "'[]'"],
  "enum('a','it''s','größer',' x')": ["'a'", "'it\\'s'", "''", "'größer'", '0'],
  "set('a','b','it''s','größer')": ["''", "'a,b'", "'it\\'s,größer'"],
  point: ['point(0, 0)', 'point(-1e300, 1e-300)', "st_geomfromtext('POINT(1 2)', 4326)"],
  linestring: ["st_geomfromtext('LINESTRING(0 0,1 1,2 0)')"],
  polygon: ["st_geomfromtext('POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1))')"],
  multipoint: ["st_geomfromtext('MULTIPOINT(1 1,2 2)')"],
  geometry: [
    "st_geomfromtext('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))')",
    "st_geomfromtext('POINT(1 1)', 3857)",
  ],
  uuid: ["'123e4567-e89b-12d3-a456-426655440000'", "'00000000-0000-0000-0000-000000000000'"],
  inet6: ["'::'", "'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'", "'::ffff:1.2.3.4'"],
  inet4: ["'0.0.0.0'", "'255.255.255.255'"],
  'varchar(20) CHARACTER SET latin1': ["'äöü€'", "''"],
  'varchar(20) CHARACTER SET utf16': ["'💾'", "''"],
  'varchar(100) COMPRESSED': ["repeat('a', 100)"],
};
