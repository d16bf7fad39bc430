/** Rows that have other numbers in the target: what names them follows, and nothing comes to name another row. */
import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import { runSql } from './database-of-engine.ts';
import { databaseServers } from './database-servers.ts';
import { contentsOf, keepModels, ModelArchives, putModels } from './model-archive.ts';

const engines = ['postgres', 'mariadb', 'sqlite'] as const;
type Engine = (typeof engines)[number];

const numbers: Readonly<Record<Engine, string>> = {
  postgres: 'integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY',
  mariadb: 'integer AUTO_INCREMENT PRIMARY KEY',
  sqlite: 'INTEGER PRIMARY KEY AUTOINCREMENT',
};

/** Rights as Django keeps them, and staff in teams that are led by one of the staff: a circle, and a table that names itself. */
const tables = (number: string) => `
  CREATE TABLE content_type (id ${number}, app varchar(40) NOT NULL, model varchar(40) NOT NULL, UNIQUE (app, model));
  CREATE TABLE permission (id ${number}, label varchar(40), content_type_id integer NOT NULL, codename varchar(40) NOT NULL,
    UNIQUE (content_type_id, codename), FOREIGN KEY (content_type_id) REFERENCES content_type (id));
  CREATE TABLE role (id ${number}, title varchar(40) NOT NULL UNIQUE);
  CREATE TABLE role_permission (role_id integer NOT NULL, permission_id integer NOT NULL, PRIMARY KEY (role_id, permission_id),
    FOREIGN KEY (role_id) REFERENCES role (id), FOREIGN KEY (permission_id) REFERENCES permission (id));
  CREATE TABLE team (id ${number}, code varchar(10) NOT NULL UNIQUE, lead_id integer);
  CREATE TABLE staff (id ${number}, email varchar(40) NOT NULL UNIQUE, phone varchar(40), manager_id integer, team_id integer,
    FOREIGN KEY (manager_id) REFERENCES staff (id), FOREIGN KEY (team_id) REFERENCES team (id));
  CREATE TABLE log (id ${number}, staff_id integer NOT NULL, text varchar(40), FOREIGN KEY (staff_id) REFERENCES staff (id));`;

const models = ['content_type', 'permission', 'role', 'role_permission', 'team', 'staff', 'log'];
const insert = (table: string, columns: string, rows: string) =>
  `INSERT INTO ${table} (${columns}) OVERRIDING SYSTEM VALUE VALUES ${rows};`;

const archived = [
  insert('content_type', 'id, app, model', `(1, 'blog', 'post'), (2, 'shop', 'order'), (3, 'shop', 'invoice')`),
  insert(
    'permission',
    'id, label, content_type_id, codename',
    `(1, 'new', 1, 'add'), (2, 'new', 1, 'delete'), (3, 'new', 2, 'add'), (4, 'new', 3, 'pay')`,
  ),
  insert('role', 'id, title', `(1, 'author'), (2, 'clerk')`),
  insert('role_permission', 'role_id, permission_id', '(1, 1), (1, 2), (2, 3), (2, 4)'),
  insert('team', 'id, code, lead_id', `(1, 'a', 1), (2, 'b', 3)`),
  insert(
    'staff',
    'id, email, phone, manager_id, team_id',
    `(1, 'ada@x', '1', NULL, 1), (2, 'bob@x', '2', 1, 1), (3, 'cy@x', '3', 2, 2), (9, 'dee@x', '9', 3, 2)`,
  ),
  insert('log', 'id, staff_id, text', `(1, 3, 'by cy'), (2, 9, 'by dee')`),
].join('');

/** The same application, installed in another order, with rows of its own at the numbers of the archive's. */
const present = [
  insert('content_type', 'id, app, model', `(1, 'shop', 'order'), (2, 'crm', 'lead'), (3, 'blog', 'post')`),
  insert(
    'permission',
    'id, label, content_type_id, codename',
    `(1, 'old', 2, 'add'), (2, 'old', 1, 'add'), (3, 'old', 3, 'add'), (4, 'old', 2, 'pay')`,
  ),
  insert('role', 'id, title', `(1, 'clerk'), (2, 'seller')`),
  insert('role_permission', 'role_id, permission_id', '(1, 2), (2, 1), (2, 4)'),
  insert('team', 'id, code, lead_id', `(1, 'b', NULL)`),
  insert(
    'staff',
    'id, email, phone, manager_id, team_id',
    `(1, 'cy@x', 'old', NULL, NULL), (3, 'eve@x', 'old', NULL, 1)`,
  ),
  insert('log', 'id, staff_id, text', `(7, 3, 'by eve')`),
].join('');

const keys = [
  'content_type:app,model',
  'permission:content_type_id,codename',
  'role:title',
  'team:code',
  'staff:email',
];

/** Who may do what, and who is who, without any number. */
const queries = {
  rights: `SELECT r.title AS a, c.app AS b, c.model AS c, p.codename AS d FROM role_permission x JOIN role r ON r.id = x.role_id
    JOIN permission p ON p.id = x.permission_id JOIN content_type c ON c.id = p.content_type_id`,
  staff: `SELECT s.email AS a, m.email AS b, t.code AS c, l.email AS d, s.phone AS e FROM staff s LEFT JOIN staff m ON m.id = s.manager_id
    LEFT JOIN team t ON t.id = s.team_id LEFT JOIN staff l ON l.id = t.lead_id`,
  log: `SELECT l.text AS a, s.email AS b FROM log l JOIN staff s ON s.id = l.staff_id`,
} as const;

suite('natural keys', () => {
  const archives = new ModelArchives();
  const { postgres, mariadb } = databaseServers();
  let count = 0;

  after(() => archives.remove());

  const make = async (engine: Engine, sql: string): Promise<string> => {
    count += 1;
    const name = `keys_${count}`;
    const url =
      engine === 'postgres'
        ? await postgres.createDatabase(name)
        : engine === 'mariadb'
          ? await mariadb.createDatabase(name)
          : `sqlite:${archives.path('keys.db')}`;
    const fitting = engine === 'postgres' ? sql : sql.replaceAll(' OVERRIDING SYSTEM VALUE', '');
    // A key that closes a circle comes last.
    const circle = 'ALTER TABLE team ADD CONSTRAINT team_lead FOREIGN KEY (lead_id) REFERENCES staff (id);';
    const made = tables(numbers[engine]);
    await runSql(
      url,
      engine === 'sqlite' ? made.replace('lead_id integer', 'lead_id integer REFERENCES staff (id)') : made,
    );
    await runSql(url, engine === 'sqlite' ? `PRAGMA foreign_keys = OFF; ${fitting}` : `${fitting} ${circle}`);
    return url;
  };

  const seen = async (url: string) => {
    const found: Record<string, readonly string[]> = {};
    for (const [name, sql] of Object.entries(queries)) {
      const rows = await runSql(url, sql);
      found[name] = rows
        .map((row) =>
          ['a', 'b', 'c', 'd', 'e']
            .flatMap((key) => row[key] ?? '-')
            .join(' ')
            .replace(/( -)+$/, ''),
        )
        .sort();
    }
    return found;
  };

  const rights = [
    'author blog post add',
    'author blog post delete',
    'clerk shop invoice pay',
    'clerk shop order add',
    'seller crm lead add',
    'seller crm lead pay',
  ];

  for (const [from, to] of [
    ['postgres', 'postgres'],
    ['mariadb', 'mariadb'],
    ['sqlite', 'sqlite'],
    ['sqlite', 'postgres'],
    ['postgres', 'mariadb'],
    ['mariadb', 'sqlite'],
  ] as const) {
    test(`${from} to ${to}: rows keep the numbers of the target, and rights, managers and leads are those of the archive`, async () => {
      const kept = await keepModels(await make(from, archived), {}, { includeTables: models });
      // Numbers that a rehearsal gave out are not given out again there.
      const next = to === 'mariadb' ? 11 : 10;
      for (const onConflict of from === to ? (['update', 'skip'] as const) : (['update'] as const)) {
        const url = await make(to, present);
        const before = await contentsOf(url);
        const settings = { onConflict, naturalKeys: keys };
        const rehearsed = await putModels(kept, url, settings, { dryRun: true });
        assert.deepEqual((await contentsOf(url)).lines, before.lines, 'a dry run takes all back');
        const change = await putModels(kept, url, settings);
        assert.deepEqual(change.models, rehearsed.models);
        const isUpdate = onConflict === 'update';
        assert.deepEqual(await seen(url), {
          rights,
          staff: [
            'ada@x - a ada@x 1',
            'bob@x ada@x a ada@x 2',
            isUpdate ? 'cy@x bob@x b cy@x 3' : 'cy@x - - - old',
            `dee@x cy@x b ${isUpdate ? 'cy@x' : '-'} 9`,
            `eve@x - b ${isUpdate ? 'cy@x' : '-'} old`,
          ],
          log: ['by cy cy@x', 'by dee dee@x', 'by eve eve@x'],
        });
        const ids = await runSql(url, `SELECT id, email FROM staff ORDER BY id`);
        // Cy and Eve keep their numbers; those of Bob and Dee are free.
        assert.deepEqual(
          ids.map(({ id, email }) => `${id} ${email}`),
          ['1 cy@x', '2 bob@x', '3 eve@x', '9 dee@x', `${next} ada@x`],
        );
        assert.deepEqual(
          change.models?.find(({ model }) => model === 'staff'),
          { model: 'staff', inserted: 3, updated: isUpdate ? 1 : 0, skipped: isUpdate ? 0 : 1 },
        );
        const again = await putModels(kept, url, settings);
        const added = again.models?.reduce((sum, { inserted }) => sum + inserted, 0);
        assert.equal(added, 0, 'a second time, all is known');
        await runSql(url, `INSERT INTO staff (email) VALUES ('new@x')`);
        const [row] = await runSql(url, `SELECT id FROM staff WHERE email = 'new@x'`);
        assert.equal(Number(row?.['id']), next + 1, 'the next number is one that nobody has');
      }
    });
  }

  for (const engine of engines) {
    test(`${engine}: what cannot be told is refused, and nothing is changed`, async () => {
      const from = await make(engine, archived);
      const kept = await keepModels(from, {}, { includeTables: models });
      const url = await make(engine, present);
      const before = await contentsOf(url);
      const refuse = async (
        given: Parameters<typeof putModels>[2],
        code: string,
        message: RegExp,
        more: Parameters<typeof putModels>[3] = {},
        what = kept,
      ) => {
        await assert.rejects(
          putModels(what, url, { onConflict: 'update', ...given }, more),
          (error: Error & { code?: string }) => {
            assert.match(error.message, message);
            assert.equal(error.code, code);
            return true;
          },
        );
        assert.deepEqual((await contentsOf(url)).lines, before.lines);
      };
      await refuse({ naturalKeys: ['staff:mail'] }, 'usage.invalid', /"staff:mail" names no natural key/);
      await refuse({ naturalKeys: ['staff'] }, 'usage.invalid', /"staff" names no natural key/);
      await refuse(
        { naturalKeys: ['staff:phone'] },
        'target.incompatible',
        /staff has the natural key phone, which is no unique key of the target \(those are email\)/,
      );
      // What names rows by number, without these rows.
      await refuse(
        { naturalKeys: keys },
        'target.incompatible',
        /permission names rows of content_type, which has a natural key/,
        { only: ['permission'] },
      );
      // Without its key, the number of a permission is that of another.
      await refuse({ naturalKeys: ['content_type:app,model'] }, 'target.exists', /^permission: /);
      const some = await keepModels(from, { where: { staff: 'id <> 9' } }, { includeTables: models });
      await refuse(
        { naturalKeys: keys },
        'target.invalid',
        /^log: staff_id = 9 names a row of staff that the archive does not hold/,
        {},
        some,
      );
    });
  }
});
