import type { MysqlConnection } from './mysql-connection.ts';
import { dropStatement, placeholderStatement, type SchemaObject } from './schema-object.ts';
import type { DatabaseDefaults } from './server-catalog.ts';
import { qualifiedName, quoteName, quoteText } from './sql-text.ts';
import { journalTable, type SwapPlan, swappedTable } from './swap-plan.ts';
import { viewsInOrder } from './view-order.ts';

/** A statement, or an object to be made in place of the one of its name. */
export type Step = { readonly sql: string } | { readonly object: SchemaObject };

/** These act on tables, or by themselves: they go before the tables move, and come when all else is there. */
const isActive = ({ kind }: SchemaObject) => kind === 'trigger' || kind === 'event';

/** Makes objects, whatever the order of views that use each other. */
export function makeSteps(objects: readonly SchemaObject[]): Step[] {
  const views = objects.filter(({ kind }) => kind === 'view');
  const placeholders = views.map((view) => ({ sql: placeholderStatement(view) }));
  return [...placeholders, ...viewsInOrder(objects).map((object) => ({ object }))];
}

/** What runs before the tables move. */
export function stepsBefore(plan: SwapPlan): Step[] {
  return plan.drops.filter(isActive).map((object) => ({ sql: dropStatement(object) }));
}

/** Undoes {@link stepsBefore}, wherever that ended. */
export function stepsBack(plan: SwapPlan): Step[] {
  return plan.drops.filter(isActive).map((object) => ({ object }));
}

/** The one statement that moves all tables, in one piece for the server. */
export function renameStep({ target, from, keep, incoming, outgoing }: SwapPlan): Step {
  const move = (name: string, of: string, to: string) => `${qualifiedName(of, name)} TO ${qualifiedName(to, name)}`;
  const mark = `${qualifiedName(from, journalTable)} TO ${qualifiedName(from, swappedTable)}`;
  const moves = [
    ...outgoing.map((name) => move(name, target, keep)),
    ...incoming.map((name) => move(name, from, target)),
  ];
  return { sql: `RENAME TABLE ${[mark, ...moves].join(', ')}` };
}

/** Moves all tables back, and the mark with them. */
export function renameBackStep({ target, from, keep, incoming, outgoing }: SwapPlan): Step {
  const move = (name: string, of: string, to: string) => `${qualifiedName(of, name)} TO ${qualifiedName(to, name)}`;
  const mark = `${qualifiedName(from, swappedTable)} TO ${qualifiedName(from, journalTable)}`;
  const moves = [
    ...incoming.map((name) => move(name, target, from)),
    ...outgoing.map((name) => move(name, keep, target)),
  ];
  return { sql: `RENAME TABLE ${[mark, ...moves].join(', ')}` };
}

function defaultsStep(target: string, { characterSet, collation }: DatabaseDefaults): Step {
  return {
    sql: `ALTER DATABASE ${quoteName(target)} CHARACTER SET ${quoteText(characterSet)} COLLATE ${quoteText(collation)}`,
  };
}

/** What runs after the tables moved; it may run again from its beginning. */
export function stepsAfter(plan: SwapPlan): Step[] {
  const drops = plan.drops.filter((object) => !isActive(object)).map((object) => ({ sql: dropStatement(object) }));
  const redirects = plan.redirects.map((sql) => ({ sql }));
  return [...redirects, ...drops, defaultsStep(plan.target, plan.after), ...makeSteps(plan.creates)];
}

/** Takes away what {@link stepsAfter} made, before the tables move back. */
export function stepsBeforeBack(plan: SwapPlan): Step[] {
  return plan.creates.toReversed().map((object) => ({ sql: dropStatement(object) }));
}

/** Makes all again that the target had, its tables being there; it may run again from its beginning. */
export function stepsAfterBack(plan: SwapPlan): Step[] {
  return [defaultsStep(plan.target, plan.before), ...makeSteps(plan.drops)];
}

type Session = Pick<SchemaObject, 'sqlMode' | 'characterSet' | 'collation' | 'timeZone'>;

function settings({ sqlMode, characterSet, collation, timeZone }: Session): string {
  const collated = collation === '' ? '' : `, collation_connection = ${quoteText(collation)}`;
  const zone = timeZone === undefined ? '' : `, time_zone = ${quoteText(timeZone)}`;
  return `SET sql_mode = ${quoteText(sqlMode)}, character_set_client = ${quoteText(characterSet)}${collated}${zone}`;
}

const plainSession: Session = {
  sqlMode: '',
  characterSet: 'utf8mb4',
  collation: 'utf8mb4_general_ci',
  timeZone: '+00:00',
};

function inBlock(step: Step): string {
  if (!('object' in step)) return `${settings(plainSession)}; EXECUTE IMMEDIATE ${quoteText(step.sql)};`;
  return `${settings(step.object)}; EXECUTE IMMEDIATE ${quoteText(replacing(step.object))};`;
}

function replacing({ statement }: SchemaObject): string {
  return statement.replace(/^CREATE /i, 'CREATE OR REPLACE ');
}

/** What is run in a database. */
export interface StepOptions {
  readonly database: string;
  /** They come first; when one of them fails, `onFailure` runs, and nothing else. */
  readonly guarded?: readonly Step[];
  readonly onFailure?: readonly Step[];
  readonly steps: readonly Step[];
  readonly isMariadb: boolean;
  /** How long one step may take. */
  readonly timeoutMs: number;
}

/**
 * Runs steps in a database. MariaDB gets them as one statement, which it carries through though the client may die meanwhile.
 * MySQL has no such statement: there they run one by one, and what was cut off is settled by whoever comes next.
 */
export async function runSteps(control: MysqlConnection, options: StepOptions): Promise<void> {
  const { database, guarded = [], onFailure = [], steps, isMariadb, timeoutMs } = options;
  if (guarded.length + steps.length === 0) return;
  await control.run(`USE ${quoteName(database)}`);
  try {
    if (!isMariadb) {
      await runOneByOne(control, options);
      return;
    }
    const handler = `DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ${onFailure.map(inBlock).join('\n')} RESIGNAL; END;`;
    const first = guarded.length === 0 ? '' : `BEGIN ${handler} ${guarded.map(inBlock).join('\n')} END;`;
    const block = `BEGIN NOT ATOMIC ${first} ${steps.map(inBlock).join('\n')} END`;
    await control.run(block, timeoutMs * (guarded.length + onFailure.length + steps.length));
  } finally {
    await control.run(settings(plainSession)).catch(() => undefined);
  }
}

async function runOneByOne(control: MysqlConnection, options: StepOptions): Promise<void> {
  const { guarded = [], onFailure = [], steps, timeoutMs } = options;
  const runAll = async (some: readonly Step[]) => {
    for (const step of some) await runStep(control, step, timeoutMs);
  };
  try {
    await runAll(guarded);
  } catch (error) {
    await runAll(onFailure);
    throw error;
  }
  await runAll(steps);
}

async function runStep(control: MysqlConnection, step: Step, timeoutMs: number): Promise<void> {
  if (!('object' in step)) {
    await control.run(settings(plainSession));
    await control.run(step.sql, timeoutMs);
    return;
  }
  const { object } = step;
  await control.run(settings(plainSession));
  // A view takes the place of its placeholder.
  const isView = object.kind === 'view';
  if (!isView) await control.run(dropStatement(object), timeoutMs);
  // The text is sent as utf8mb4, whatever the client had that wrote it first. MySQL 8 refuses a mode that older servers gave to every routine.
  const modes = object.sqlMode.split(',').filter((mode) => mode !== 'NO_AUTO_CREATE_USER');
  await control.run(settings({ ...object, characterSet: 'utf8mb4', sqlMode: modes.join(',') }));
  await control.run(isView ? replacing(object) : object.statement, timeoutMs);
}
