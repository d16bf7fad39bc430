import { dependencyLevels } from '../dependency-order.ts';
import { type Model, type ModelForeignKey, tableKey } from '../model.ts';
import { writtenFields } from './convert-rows.ts';
import type { LoadPlan } from './restore-plan.ts';

/** Columns that name a row which may have another key in the target than in the archive. All names are those of the target. */
export interface MatchLink {
  readonly columns: readonly string[];
  readonly parent: MatchTable;
  readonly referenced: readonly string[];
  /** The database does not enforce it. */
  readonly isSoft: boolean;
}

/** A table whose rows are put beside it first, until it is known which rows of the target they are. */
export interface MatchTable {
  readonly load: LoadPlan;
  /** Its place in the order in which tables are matched; a part of the names of what stands beside. */
  readonly index: number;
  /** By it rows of the target are told apart. */
  readonly identity: readonly string[];
  /** A row that agrees with one of the target in all columns of any of these is that row. */
  readonly matchKeys: readonly (readonly string[])[];
  readonly isKeyed: boolean;
  /** The column in which a new row gets another number where its own is taken. */
  readonly numberColumn?: string;
  /** Links to tables that come before. */
  readonly links: MatchLink[];
  /** Links to itself and to tables that come after: followed when all are matched. */
  readonly lateLinks: MatchLink[];
  /** Columns by which links name its rows, each set once. */
  readonly referenced: (readonly string[])[];
}

/** In the order in which rows are matched: what is named before what names it. */
export type MatchPlan = readonly MatchTable[];

/** What a match is planned from. */
export interface PlanMatchOptions {
  readonly loads: readonly LoadPlan[];
  /** All models of the archive. */
  readonly models: readonly Model[];
  /** By model, in columns of the archive. */
  readonly naturalKeys: ReadonlyMap<string, readonly string[]>;
}

interface Relation {
  readonly child: LoadPlan;
  readonly parent: LoadPlan;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  readonly isSoft: boolean;
}

/** Decides which rows are matched, and which columns follow them; undefined where no row may have another key than in the archive. */
export function planMatch(options: PlanMatchOptions, problems: string[]): MatchPlan | undefined {
  const { loads } = options;
  const keyed = loads.filter(({ naturalKey }) => naturalKey !== undefined);
  checkParents(options, problems);
  if (keyed.length === 0) return undefined;
  const relations = loads.flatMap((load) => relationsOf(load, loads));
  const moving = movingLoads(keyed, relations);
  const links = relations.filter(({ parent }) => moving.has(parent));
  const ordered = inOrder(loads, relations).filter(
    (load) => moving.has(load) || links.some(({ child }) => child === load),
  );
  const tables = ordered.map((load, index) => matchTable(load, index, relations));
  const tableOf = (load: LoadPlan) => tables.find((table) => table.load === load) as MatchTable;
  for (const { child, parent, columns, referenced, isSoft } of links) {
    const [from, to] = [tableOf(child), tableOf(parent)];
    if (!to.referenced.some((names) => same(names, referenced))) to.referenced.push(referenced);
    (to.index < from.index ? from.links : from.lateLinks).push({ columns, parent: to, referenced, isSoft });
  }
  for (const table of tables) checkCircle(table, problems);
  return tables;
}

const same = (a: readonly string[], b: readonly string[]) => JSON.stringify(a) === JSON.stringify(b);
const meet = (a: readonly string[], b: readonly string[]) => a.some((name) => b.includes(name));

/** What names rows by numbers that may have moved is restored with these, or not at all. */
function checkParents({ loads, models, naturalKeys }: PlanMatchOptions, problems: string[]): void {
  const chosen = new Set(loads.map(({ source }) => source.name));
  for (const load of loads.filter(({ onConflict }) => onConflict !== 'fail')) {
    for (const key of load.source.foreignKeys) {
      const parent = models.find(({ table }) => tableKey(table) === tableKey(key.references.table));
      if (parent === undefined || chosen.has(parent.name) || !naturalKeys.has(parent.name)) continue;
      if (key.columns.every((name) => targetName(load, name) === undefined)) continue;
      problems.push(
        `${load.source.name} names rows of ${parent.name}, which has a natural key and is to be restored with it`,
      );
    }
  }
}

function targetName({ fields }: LoadPlan, column: string): string | undefined {
  return fields.find(({ source }) => source.name === column)?.target?.name;
}

/** The relations of the database that is there, and those that only the archive knows: an ORM told them. */
function relationsOf(child: LoadPlan, loads: readonly LoadPlan[]): Relation[] {
  const written = new Set(writtenFields(child).map(({ target }) => target.name));
  const found = new Map<string, Relation>();
  const add = (
    key: ModelForeignKey,
    parent: LoadPlan | undefined,
    columns: readonly (string | undefined)[],
    names: readonly (string | undefined)[],
  ) => {
    const isWhole = (list: readonly (string | undefined)[]): list is readonly string[] =>
      list.every((name) => name !== undefined);
    if (parent === undefined || !isWhole(columns) || !isWhole(names) || columns.length !== names.length) return;
    if (!columns.every((name) => written.has(name))) return;
    const place = JSON.stringify([columns, parent.source.name, names]);
    if (!found.has(place)) found.set(place, { child, parent, columns, referenced: names, isSoft: key.isSoft === true });
  };
  for (const key of child.target.foreignKeys) {
    const parent = loads.find(({ target }) => tableKey(target.table) === tableKey(key.references.table));
    const names =
      key.references.columns.length > 0 ? key.references.columns : (parent?.target.primaryKey?.columns ?? []);
    add(key, parent, key.columns, names);
  }
  for (const key of child.source.foreignKeys) {
    const parent = loads.find(({ source }) => tableKey(source.table) === tableKey(key.references.table));
    if (parent === undefined) continue;
    const names =
      key.references.columns.length > 0 ? key.references.columns : (parent.source.primaryKey?.columns ?? []);
    // What the target does not enforce may dangle there.
    add(
      { ...key, isSoft: true },
      parent,
      key.columns.map((name) => targetName(child, name)),
      names.map((name) => targetName(parent, name)),
    );
  }
  return [...found.values()];
}

/** Tables whose rows may be known by other values there: by their natural key, or since they are known by what names such rows. */
function movingLoads(keyed: readonly LoadPlan[], relations: readonly Relation[]): ReadonlySet<LoadPlan> {
  const moving = new Set(keyed);
  for (let size = -1; size !== moving.size; ) {
    size = moving.size;
    for (const { child, parent, columns } of relations) {
      if (!moving.has(parent)) continue;
      if (relations.some((one) => one.parent === child && meet(one.referenced, columns))) moving.add(child);
    }
  }
  return moving;
}

function inOrder(loads: readonly LoadPlan[], relations: readonly Relation[]): readonly LoadPlan[] {
  const models = loads.map((load): Model => {
    const own = relations.filter(({ child }) => child === load);
    const foreignKeys = own.map(({ parent, columns, referenced }) => ({
      name: '',
      columns,
      references: { table: parent.target.table, columns: referenced },
    }));
    return { ...load.target, foreignKeys };
  });
  const levels = dependencyLevels(models);
  const levelOf = ({ target }: LoadPlan) => levels.get(tableKey(target.table)) ?? 0;
  return loads.toSorted((a, b) => levelOf(a) - levelOf(b));
}

function matchTable(load: LoadPlan, index: number, relations: readonly Relation[]): MatchTable {
  const { target, naturalKey } = load;
  const written = new Set(writtenFields(load).map((field) => field.target.name));
  const identity = target.primaryKey?.columns ?? naturalKey ?? [];
  const unique = identity.length > 0 ? [identity] : target.uniqueKeys.map(({ columns }) => columns);
  const [only, ...more] = target.primaryKey?.columns ?? [];
  const column = target.columns.find(({ name }) => name === only);
  const isLink = relations.some(({ child, columns }) => child === load && columns.includes(only ?? ''));
  const isNumber = more.length === 0 && column?.type.kind === 'integer' && written.has(column.name) && !isLink;
  return {
    load,
    index,
    identity,
    matchKeys: (naturalKey === undefined ? unique : [naturalKey]).filter((key) =>
      key.every((name) => written.has(name)),
    ),
    isKeyed: naturalKey !== undefined,
    ...(isNumber && naturalKey !== undefined && !naturalKey.includes(column.name) ? { numberColumn: column.name } : {}),
    links: [],
    lateLinks: [],
    referenced: [],
  };
}

/** What a row is known by cannot be what is known only when it is. */
function checkCircle({ load, lateLinks, matchKeys, referenced, identity }: MatchTable, problems: string[]): void {
  const needed = [...matchKeys.flat(), ...referenced.flat(), ...identity];
  const circle = lateLinks.find(({ columns }) => meet(columns, needed));
  if (circle === undefined) return;
  problems.push(
    `${load.source.name} is known by ${circle.columns.join(', ')}, which names rows of ${circle.parent.load.source.name} that are known only after it: it needs another natural key`,
  );
}
