import type { PostgresConnection } from './postgres-connection.ts';
import { SqlScanner } from './sql-scanner.ts';

/** Takes a name off its quotes. */
function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

const create = /^CREATE ROLE ("(?:[^"]|"")+"|\S+);$/;
const concerned = /^(?:ALTER ROLE|GRANT .+? TO|COMMENT ON ROLE) ("(?:[^"]|"")+"|[^\s;]+)/s;

/**
 * Makes the roles of a dump that the server does not have, all or none; those that it has stay as they are, passwords and rights included, since
 * they belong to all databases of the server.
 */
export async function restoreRoles(
  connection: PostgresConnection,
  text: string,
  options: { readonly isInTransaction: boolean },
): Promise<void> {
  const statements: string[] = [];
  const scanner = new SqlScanner(text);
  for (;;) {
    scanner.skipBlank();
    if (scanner.skipComment()) continue;
    const statement = scanner.next();
    if (statement === undefined) break;
    statements.push(statement);
  }
  const rows = await connection.rows('SELECT rolname AS name FROM pg_roles');
  const known = new Set(rows.map((row) => String(row['name'])));
  const made = new Set(statements.map((each) => create.exec(each)?.[1]).filter((name) => name !== undefined));
  for (const name of made) if (known.has(unquoted(name))) made.delete(name);
  const wanted = statements.filter((each) => {
    const name = (create.exec(each) ?? concerned.exec(each))?.[1];
    return name !== undefined && made.has(name);
  });
  if (wanted.length === 0) return;
  const all = wanted.join('\n');
  await connection.work(options.isInTransaction ? all : `BEGIN;\n${all}\nCOMMIT;`);
}
