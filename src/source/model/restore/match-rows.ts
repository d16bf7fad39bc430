import { HoldfastError } from '../../../errors.ts';
import { updatedColumns, writtenFields } from './convert-rows.ts';
import type { MatchLink, MatchPlan, MatchTable } from './match-plan.ts';
import type { MatchSession } from './match-session.ts';
import type { ModelCounts } from './restore-plan.ts';

/** What a row beside its table is: null for a new one. */
export const matchColumn = 'holdfast_match';
const found = 1;
const taken = 2;

/** The temporary table with the rows of a table, as they stand in the archive. */
export const stageName = ({ index }: MatchTable) => `holdfast_rows_${index}`;
const placesName = ({ index }: MatchTable, set: number) => `holdfast_places_${index}_${set}`;

/** Columns whose values of the archive are needed after they changed. */
function rememberedColumns({ links, lateLinks, referenced }: MatchTable): readonly string[] {
  return [...new Set([...links, ...lateLinks].flatMap(({ columns }) => columns).concat(referenced.flat()))];
}

const rememberedName = (table: MatchTable, column: string) =>
  `holdfast_was_${rememberedColumns(table).indexOf(column)}`;

/** What the temporary table is made from: the columns that are written, as the target has them, and room for what changes, which is filled later. */
export function stageColumns(
  table: MatchTable,
  quote: (name: string) => string,
  nullable: (column: string) => string = (column) => column,
): string {
  return [
    ...writtenFields(table.load).map(({ target }) => `t.${quote(target.name)} AS ${quote(target.name)}`),
    ...rememberedColumns(table).map(
      (name) => `${nullable(`t.${quote(name)}`)} AS ${quote(rememberedName(table, name))}`,
    ),
  ].join(', ');
}

/**
 * Finds out which rows of the target the rows beside are, gives new rows numbers that are free, lets what names them follow, and writes
 * all. A few statements for each table, whatever the number of rows.
 */
export async function matchRows(session: MatchSession, plan: MatchPlan): Promise<readonly ModelCounts[]> {
  for (const table of plan) {
    const { quote } = session;
    const remembered = rememberedColumns(table).map((name) => `${quote(rememberedName(table, name))} = ${quote(name)}`);
    if (remembered.length > 0) {
      await session.run(
        `UPDATE ${session.beside(stageName(table))} SET ${remembered.join(', ')}`,
        table.load.target.name,
      );
    }
    for (const link of table.links) await follow(session, table, link);
    await match(session, table);
    await giveNumbers(session, table);
    for (const [set, columns] of table.referenced.entries()) await keepPlaces(session, table, { set, columns });
  }
  for (const table of plan) for (const link of table.lateLinks) await follow(session, table, link);
  const counts: ModelCounts[] = [];
  for (const table of plan) counts.push(await write(session, table));
  return counts;
}

/** Lets columns name the row of the target that they named in the archive. */
async function follow(session: MatchSession, table: MatchTable, link: MatchLink): Promise<void> {
  const { quote } = session;
  const { columns, parent, referenced } = link;
  const set = parent.referenced.findIndex((names) => JSON.stringify(names) === JSON.stringify(referenced));
  const places = session.beside(placesName(parent, set));
  const stage = session.beside(stageName(table));
  const was = columns.map((name) => quote(rememberedName(table, name)));
  const on = was.map((name, index) => `b.was_${index} = a.${name}`);
  await refuseUnknown(session, table, link, { places, stage, was, on });
  await session.run(
    session.updateStatement({
      table: stage,
      from: places,
      on,
      set: columns.map((name, index) => [quote(name), `b.now_${index}`] as const),
    }),
    table.load.target.name,
  );
}

/** A row that the archive does not hold may have any number in the target: what names it would name another. */
async function refuseUnknown(
  session: MatchSession,
  table: MatchTable,
  { columns, parent, referenced, isSoft }: MatchLink,
  names: {
    readonly places: string;
    readonly stage: string;
    readonly was: readonly string[];
    readonly on: readonly string[];
  },
): Promise<void> {
  const { places, stage, was, on } = names;
  const values = was.map((name, index) => `CAST(a.${name} AS CHAR(200)) AS v${index}`).join(', ');
  const isSet = was.map((name) => `a.${name} IS NOT NULL`);
  const there = referenced.map((name, index) => `t.${session.quote(name)} = a.${was[index]}`).join(' AND ');
  const isOther = isSoft ? ` AND EXISTS (SELECT 1 FROM ${session.rowsOf(parent.load.target)} t WHERE ${there})` : '';
  const [row] = await session.ask(`SELECT ${values} FROM ${stage} a LEFT JOIN ${places} b ON ${on.join(' AND ')}
    WHERE ${isSet.join(' AND ')} AND b.was_0 IS NULL${isOther} LIMIT 1`);
  if (row === undefined) return;
  const model = parent.load.source.name;
  throw new HoldfastError('target.invalid', {
    message: `${table.load.source.name}: ${columns.join(', ')} = ${valuesOf(row)} names a row of ${model} that the archive does not hold, and whose number here is not known`,
    hint: `restore all rows of ${model}; nothing was changed`,
    context: { table: table.load.target.name, parent: model },
  });
}

async function match(session: MatchSession, table: MatchTable): Promise<void> {
  const { quote } = session;
  const { load, identity, matchKeys, isKeyed, referenced } = table;
  const stage = session.beside(stageName(table));
  const model = load.target.name;
  if (isKeyed) {
    const isNull = (matchKeys[0] ?? []).map((name) => `${quote(name)} IS NULL`).join(' OR ');
    const [row] = await session.ask(`SELECT count(*) AS count FROM ${stage} WHERE ${isNull}`);
    if (Number(row?.['count']) > 0)
      throw ambiguous(table, `${Number(row?.['count'])} rows have no ${(matchKeys[0] ?? []).join(', ')}`);
  }
  // What stays as it is keeps all that it is named by.
  const kept = new Set([...identity, ...(load.onConflict === 'skip' ? referenced.flat() : [])]);
  for (const key of matchKeys) {
    const set = [...kept]
      .filter((name) => !key.includes(name))
      .map((name) => [quote(name), `b.${quote(name)}`] as const);
    await session.run(
      session.updateStatement({
        table: stage,
        from: session.rowsOf(load.target),
        on: key.map((name) => `b.${quote(name)} = a.${quote(name)}`),
        set: [[matchColumn, String(found)], ...set],
      }),
      model,
    );
  }
  const [key] = matchKeys;
  if (key === undefined || identity.length === 0) return;
  const list = identity.map((name, index) => `CAST(${quote(name)} AS CHAR(200)) AS v${index}`).join(', ');
  const [double] = await session.ask(`SELECT ${list} FROM ${stage} WHERE ${matchColumn} = ${found}
    GROUP BY ${identity.map(quote).join(', ')} HAVING count(*) > 1 LIMIT 1`);
  if (double !== undefined) {
    throw ambiguous(table, `two rows of the archive have the same ${key.join(', ')} as the row ${valuesOf(double)}`);
  }
}

function valuesOf(row: Readonly<Record<string, unknown>>): string {
  return Object.values(row)
    .map((value) => String(value).trim())
    .join(', ');
}

function ambiguous({ load }: MatchTable, what: string): HoldfastError {
  return new HoldfastError('target.incompatible', {
    message: `${load.source.name}: ${what}: which row is which cannot be told`,
    hint: 'choose another unique key with --natural-key; nothing was changed',
    context: { table: load.target.name },
  });
}

/** A new row keeps its number where that is free. */
async function giveNumbers(session: MatchSession, table: MatchTable): Promise<void> {
  const { quote } = session;
  const { load, numberColumn: column } = table;
  if (column === undefined) return;
  const stage = session.beside(stageName(table));
  const rows = session.rowsOf(load.target);
  const name = quote(column);
  const on = [`b.${name} = a.${name}`, `a.${matchColumn} IS NULL`];
  const mark = session.updateStatement({ table: stage, from: rows, on, set: [[matchColumn, String(taken)]] });
  await session.run(mark, load.target.name);
  const where = `${matchColumn} = ${taken}`;
  const [row] = await session.ask(`SELECT (SELECT count(*) FROM ${stage} WHERE ${where}) AS count`);
  if (Number(row?.['count']) === 0) return;
  const largest = async (place: string) => {
    const [one] = await session.ask(`SELECT CAST(max(${name}) AS CHAR(40)) AS last FROM ${place} t`);
    return BigInt(String(one?.['last'] ?? 0).trim());
  };
  const { next = '1' } = load.target.columns.find((one) => one.name === column)?.identity ?? {};
  let first = BigInt(next);
  for (const last of [await largest(rows), await largest(stage)]) if (last >= first) first = last + 1n;
  await session.renumber({ table, stage, column: name, where, first });
  await session.run(`UPDATE ${stage} SET ${matchColumn} = NULL WHERE ${where}`, load.target.name);
}

/** Which values of the target stand for those of the archive. */
async function keepPlaces(
  session: MatchSession,
  table: MatchTable,
  { set, columns }: { readonly set: number; readonly columns: readonly string[] },
): Promise<void> {
  const { quote } = session;
  const was = columns.map((name, index) => `${quote(rememberedName(table, name))} AS was_${index}`);
  const now = columns.map((name, index) => `${quote(name)} AS now_${index}`);
  const isSet = columns.map((name) => `${quote(rememberedName(table, name))} IS NOT NULL`);
  const select = `SELECT ${[...was, ...now].join(', ')} FROM ${session.beside(stageName(table))} WHERE ${isSet.join(' AND ')}`;
  await session.keep(
    placesName(table, set),
    select,
    columns.map((_, index) => `was_${index}`),
  );
}

async function write(session: MatchSession, table: MatchTable): Promise<ModelCounts> {
  const { quote } = session;
  const { load, identity } = table;
  const stage = session.beside(stageName(table));
  const model = load.target.name;
  const [row] = await session.ask(`SELECT count(*) AS count, count(${matchColumn}) AS known FROM ${stage}`);
  const [count, known] = [Number(row?.['count']), Number(row?.['known'])];
  const names = writtenFields(load).map(({ target }) => target.name);
  const others = updatedColumns(load).filter((name) => !identity.includes(name));
  const isUpdate = load.onConflict === 'update' && others.length > 0;
  if (isUpdate) {
    const update = session.updateStatement({
      table: session.rowsOf(load.target),
      from: stage,
      on: [...identity.map((name) => `a.${quote(name)} = b.${quote(name)}`), `b.${matchColumn} = ${found}`],
      set: others.map((name) => [quote(name), `b.${quote(name)}`] as const),
    });
    await session.run(update, model);
  }
  // A conflict that is left is one of another key, and is told.
  const list = names.map(quote).join(', ');
  await session.run(
    `${session.additionTo(load.target, list)} SELECT ${list} FROM ${stage} WHERE ${matchColumn} IS NULL`,
    model,
  );
  const updated = isUpdate ? known : 0;
  return { model: load.source.name, inserted: count - known, updated, skipped: known - updated };
}
