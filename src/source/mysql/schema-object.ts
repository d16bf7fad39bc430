import { HoldfastError } from '../../errors.ts';
import type { EntryMetadata } from '../source.ts';
import { quoteName, quoteText } from './sql-text.ts';

/** In the order in which they are made: what comes later may use what came before. */
export const objectKinds = [
  'sequence',
  'package',
  'package body',
  'function',
  'procedure',
  'view',
  'trigger',
  'event',
] as const;

/** A kind of what a database holds beside tables. */
export type ObjectKind = (typeof objectKinds)[number];

/** What a database holds beside tables, with the settings of the session that made it, which the server keeps and applies. */
export interface SchemaObject {
  readonly kind: ObjectKind;
  readonly name: string;
  /** One `CREATE` statement. */
  readonly statement: string;
  readonly sqlMode: string;
  readonly characterSet: string;
  readonly collation: string;
  /** Of an event. */
  readonly timeZone?: string;
  /** Of a trigger. */
  readonly table?: string;
  /** Of a sequence. */
  readonly nextValue?: string;
  /** Of a view: the names of its columns. */
  readonly columns?: readonly string[];
}

/** In double quotes where the mode ANSI_QUOTES was on. */
const account = /(?:`(?:[^`]|``)*`|"(?:[^"]|"")*")/.source;
const definer = `(?:DEFINER\\s*=\\s*(?:${account}(?:@${account})?|[A-Z_]+(?:\\(\\))?)\\s+)?`;
const beginnings: Readonly<Record<ObjectKind, RegExp>> = {
  sequence: /^CREATE SEQUENCE `/i,
  package: new RegExp(`^CREATE ${definer}PACKAGE (?!BODY)`, 'i'),
  'package body': new RegExp(`^CREATE ${definer}PACKAGE BODY `, 'i'),
  function: new RegExp(`^CREATE ${definer}(?:AGGREGATE )?FUNCTION `, 'i'),
  procedure: new RegExp(`^CREATE ${definer}PROCEDURE `, 'i'),
  view: new RegExp(`^CREATE (?:ALGORITHM=\\w+ )?${definer}(?:SQL SECURITY \\w+ )?VIEW `, 'i'),
  trigger: new RegExp(`^CREATE ${definer}TRIGGER `, 'i'),
  event: new RegExp(`^CREATE ${definer}EVENT `, 'i'),
};

/** Whether the statement makes what it says. */
export function isOfKind(object: SchemaObject): boolean {
  return beginnings[object.kind].test(object.statement);
}

/** The statement that takes an object away, if it is there. */
export function dropStatement({ kind, name }: SchemaObject): string {
  return `DROP ${kind.toUpperCase()} IF EXISTS ${quoteName(name)}`;
}

/** A view with the columns of this one and no table: others can be made of it before its own tables and views are there. */
export function placeholderStatement({ name, columns = [] }: SchemaObject): string {
  const list = columns.map((column) => `NULL AS ${quoteName(column)}`);
  return `CREATE OR REPLACE VIEW ${quoteName(name)} AS SELECT ${list.join(', ') || '1'}`;
}

/** What an object is in an archive: a file that the server's own client can run, in which the statement is found by its place. */
export function encodeObject(object: SchemaObject): { readonly bytes: Buffer; readonly metadata: EntryMetadata } {
  const { kind, name, statement, sqlMode, characterSet, collation, timeZone, table, nextValue, columns } = object;
  const settings = [
    'SET NAMES utf8mb4;',
    ...(collation === '' ? [] : [`SET collation_connection = ${quoteText(collation)};`]),
    ...(timeZone === undefined ? [] : [`SET time_zone = ${quoteText(timeZone)};`]),
    `SET sql_mode = ${quoteText(sqlMode)};`,
    'DELIMITER ;;',
  ];
  const before = Buffer.from(`${settings.join('\n')}\n`);
  const text = Buffer.from(statement);
  const value = nextValue === undefined ? '' : `DO SETVAL(${quoteName(name)}, ${nextValue}, 0);\n`;
  const bytes = Buffer.concat([before, text, Buffer.from(`\n;;\nDELIMITER ;\n${value}`)]);
  return {
    bytes,
    metadata: {
      object: kind,
      name,
      statementOffset: before.length,
      statementBytes: text.length,
      sqlMode,
      characterSet,
      collation,
      ...(timeZone === undefined ? {} : { timeZone }),
      ...(table === undefined ? {} : { table }),
      ...(nextValue === undefined ? {} : { nextValue }),
      ...(columns === undefined ? {} : { columns: [...columns] }),
    },
  };
}

/** The object that an entry holds. Throws `target.invalid` for what {@link encodeObject} never makes. */
export function decodeObject(path: string, metadata: EntryMetadata, bytes: Buffer): SchemaObject {
  const text = (key: string) => (typeof metadata[key] === 'string' ? metadata[key] : undefined);
  const kind = objectKinds.find((known) => known === metadata['object']);
  const offset = Number(metadata['statementOffset']);
  const length = Number(metadata['statementBytes']);
  const name = text('name');
  if (kind === undefined || name === undefined || !(offset >= 0 && length > 0 && offset + length <= bytes.length)) {
    throw new HoldfastError('target.invalid', { message: `${path} is not an object of a database`, context: { path } });
  }
  const optional = (key: 'timeZone' | 'table' | 'nextValue') => {
    const value = text(key);
    return value === undefined ? {} : { [key]: value };
  };
  const object: SchemaObject = {
    kind,
    name,
    statement: bytes.toString('utf8', offset, offset + length),
    sqlMode: text('sqlMode') ?? '',
    characterSet: text('characterSet') ?? 'utf8mb4',
    collation: text('collation') ?? '',
    ...optional('timeZone'),
    ...optional('table'),
    ...optional('nextValue'),
    ...(Array.isArray(metadata['columns']) ? { columns: metadata['columns'].map(String) } : {}),
  };
  if (isOfKind(object) && /^-?\d*$/.test(object.nextValue ?? '')) return object;
  throw new HoldfastError('target.unsafe', {
    message: `${path} does not make the ${kind} that it says`,
    context: { path },
  });
}
