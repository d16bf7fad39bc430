import type { DumpItem } from './dump-items.ts';
import type { PostgresConnection } from './postgres-connection.ts';
import { postgresTargetError, serverFailure } from './postgres-error.ts';
import { waitPatiently } from './wait-patiently.ts';

/** Who runs the statements of a dump. */
export interface RunOptions {
  readonly connections: readonly PostgresConnection[];
  readonly timeoutMs: number;
  readonly probe: () => Promise<void>;
}

/** What the server has settings for: a newer `pg_dump` sets some that an older server does not know. */
export async function knownSettings(connection: PostgresConnection): Promise<ReadonlySet<string>> {
  const rows = await connection.rows('SELECT name FROM pg_settings');
  return new Set([...rows.map((row) => String(row['name'])), 'search_path']);
}

/** Runs objects in their order on the first connection; those that may be made side by side on all. */
export async function runItems(items: readonly DumpItem[], options: RunOptions): Promise<void> {
  const [first] = options.connections;
  if (first === undefined) return;
  const known = await knownSettings(first);
  for (const group of groupsOf(items, options.connections.length)) {
    const failed = await runGroup(group, options, known);
    // Two that wait for each other are made one after the other.
    for (const item of failed) await runItem(first, item, known, options);
  }
}

/** Kinds of which those that follow each other do not need each other. */
const sideBySide: readonly string[] = ['INDEX', 'CONSTRAINT', 'FK CONSTRAINT'];

/** Comments, which nothing needs, come last, so that they do not come between what can be made side by side. */
function groupsOf(items: readonly DumpItem[], connections: number): DumpItem[][] {
  if (connections < 2) return items.map((item) => [item]);
  const groups: DumpItem[][] = [];
  const isComment = ({ type }: DumpItem) => type === 'COMMENT';
  const kindOf = ({ type }: DumpItem) => (type === 'INDEX' ? 'CONSTRAINT' : type);
  for (const item of [...items.filter((each) => !isComment(each)), ...items.filter(isComment)]) {
    const last = groups.at(-1);
    const before = last?.[0];
    const joins = sideBySide.includes(item.type) && before !== undefined && kindOf(before) === kindOf(item);
    if (joins) last?.push(item);
    else groups.push([item]);
  }
  return groups;
}

/** Gives those that failed since they waited for each other. */
async function runGroup(
  group: readonly DumpItem[],
  options: RunOptions,
  known: ReadonlySet<string>,
): Promise<DumpItem[]> {
  const waiting = [...group];
  const failed: DumpItem[] = [];
  let isStopped = false;
  const worker = async (connection: PostgresConnection) => {
    for (let item = waiting.shift(); item !== undefined && !isStopped; item = waiting.shift()) {
      try {
        await runItem(connection, item, known, options);
      } catch (error) {
        if (group.length > 1 && serverFailure((error as Error).cause)?.code === deadlock) failed.push(item);
        else {
          isStopped = true;
          throw error;
        }
      }
    }
  };
  const workers = options.connections.slice(0, group.length).map(worker);
  const results = await Promise.allSettled(workers);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return failed;
}

const deadlock = '40P01';

async function runItem(
  connection: PostgresConnection,
  item: DumpItem,
  known: ReadonlySet<string>,
  options: RunOptions,
): Promise<void> {
  const settings = [...item.settings].filter(([name]) => known.has(name)).map(([, statement]) => statement);
  try {
    await waitPatiently(connection.work([...settings, item.text].join('\n')), options);
  } catch (error) {
    throw postgresTargetError(error, `${item.type.toLowerCase()} ${item.name}`.trim());
  }
}
