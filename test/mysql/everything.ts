import { readFileSync } from 'node:fs';
import type { MariadbServer } from './mariadb-server.ts';

/** Objects, whose bodies hold semicolons. */
const objects = [
  'CREATE VIEW z_first AS SELECT a.name, b.title FROM author a JOIN book b ON b.author_id = a.id',
  "CREATE ALGORITHM = MERGE DEFINER = 'nobody'@'%' SQL SECURITY DEFINER VIEW a_last AS SELECT name FROM z_first",
  "CREATE TRIGGER tr1 BEFORE INSERT ON book FOR EACH ROW BEGIN SET NEW.title = CONCAT(NEW.title, '; -- Dump completed'); END",
  'CREATE TRIGGER tr2 AFTER INSERT ON book FOR EACH ROW BEGIN INSERT INTO empty VALUES (1); END',
  "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'",
  `CREATE DEFINER = "x y"@'%' FUNCTION f1(a varchar(20) CHARACTER SET latin1) RETURNS varchar(40) DETERMINISTIC BEGIN DECLARE "q;" int; RETURN a || 'é;;/*!*/'; END`,
  "SET sql_mode = ''",
  "CREATE PROCEDURE p1(INOUT x int) BEGIN SELECT 'DELIMITER ;\n;;'; SET x = x + 1; /* ;; */ END",
  'CREATE EVENT ev1 ON SCHEDULE EVERY 1 YEAR STARTS NOW() + INTERVAL 1 YEAR DO BEGIN INSERT INTO empty VALUES (2); END',
  "INSERT INTO author (name) VALUES ('a'), ('b')",
  "INSERT INTO book (author_id, title) VALUES (1000, 't'), (1001, 'u')",
];

const script = readFileSync(new URL('everything.sql', import.meta.url), 'utf8');

/** Makes a database that has one of all that MariaDB has. */
export async function makeEverything(
  server: MariadbServer,
  database: string,
  options: { readonly withBig: boolean } = { withBig: true },
): Promise<void> {
  const isLeftOut = (statement: string) => !options.withBig && /\b(?:TABLE|INTO) big\b/.test(statement);
  const statements = script.split(/;\n/).filter((statement) => statement.trim() !== '' && !isLeftOut(statement));
  await server.query(
    `DROP DATABASE IF EXISTS \`${database}\``,
    `CREATE DATABASE \`${database}\` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci`,
    `USE \`${database}\``,
    ...statements,
    ...objects,
  );
}

const quoted = (name: unknown) => `\`${String(name).replaceAll('`', '``')}\``;

/** All that a database is, as text: definitions, and a checksum of the rows of each table. */
export async function portrait(server: MariadbServer, database: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const connection = await server.connect();
  try {
    await connection.run(`USE ${quoted(database)}`);
    const created = async (kind: string, name: unknown) => {
      const [row] = await connection.rows(`SHOW CREATE ${kind} ${quoted(name)}`);
      const { Created: _, 'Database Collation': __, ...rest } = row ?? {};
      // A default names its sequence with the database.
      found[`${kind} ${String(name)}`] = JSON.stringify(rest).replaceAll(`val(\`${database}\`.`, 'val(');
    };
    for (const { name, type } of await connection.rows(
      'SELECT table_name AS name, table_type AS type FROM information_schema.tables WHERE table_schema = ?',
      [database],
    )) {
      await created(type === 'VIEW' ? 'VIEW' : 'TABLE', name);
      if (type === 'VIEW') continue;
      const [sum] = await connection.rows(`CHECKSUM TABLE ${quoted(name)} EXTENDED`);
      const [count] = await connection.rows(`SELECT COUNT(*) AS n FROM ${quoted(name)}`);
      // The checksum of a versioned table covers no rows of the past.
      const rows =
        type === 'SYSTEM VERSIONED'
          ? JSON.stringify(
              await connection.rows(
                `SELECT *, row_start, row_end FROM ${quoted(name)} FOR SYSTEM_TIME ALL ORDER BY 1, 3`,
              ),
            )
          : sum?.['Checksum'];
      found[`rows ${String(name)}`] = type === 'SEQUENCE' ? '' : `${rows} ${count?.['n']}`;
    }
    for (const { name, type } of await connection.rows(
      'SELECT routine_name AS name, routine_type AS type FROM information_schema.routines WHERE routine_schema = ?',
      [database],
    ))
      await created(String(type), name);
    for (const { name } of await connection.rows(
      'SELECT trigger_name AS name FROM information_schema.triggers WHERE trigger_schema = ?',
      [database],
    ))
      await created('TRIGGER', name);
    for (const { name } of await connection.rows(
      'SELECT event_name AS name FROM information_schema.events WHERE event_schema = ?',
      [database],
    ))
      await created('EVENT', name);
    const [defaults] = await connection.rows(
      'SELECT default_collation_name AS c FROM information_schema.schemata WHERE schema_name = ?',
      [database],
    );
    found['defaults'] = String(defaults?.['c']);
    return found;
  } finally {
    await connection.close();
  }
}
