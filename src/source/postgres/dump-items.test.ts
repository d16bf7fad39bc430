import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../errors.ts';
import { dumpItems } from './dump-items.ts';
import { SqlScanner } from './sql-scanner.ts';

function statementsOf(text: string): string[] {
  const scanner = new SqlScanner(text);
  const found: string[] = [];
  for (;;) {
    scanner.skipBlank();
    if (scanner.skipComment()) continue;
    const statement = scanner.next();
    if (statement === undefined) return found;
    found.push(statement);
  }
}

function header(name: string, type: string): string {
  return `--\n-- Name: ${name}; Type: ${type}; Schema: public; Owner: me\n--\n\n`;
}

describe('SqlScanner', () => {
  it('ends a statement at its semicolon, not at one in quotes, in dollars or in a comment', () => {
    const statements = [
      `COMMENT ON TABLE a IS 'it''s; not the end';`,
      `SELECT E'a\\'; still' , E'\\\\';`,
      `SELECT 'a\\';`,
      `CREATE TABLE ";""x" (a int);`,
      `DO $$ BEGIN; $x$; END $$;`,
      `DO $body$ $$;$$ $other$;$other$ $body$;`,
      `SELECT a$b$c, 1;`,
      `SELECT 1 -- ; no\n, 2;`,
      `SELECT /* ; /* ; */ ; */ 3;`,
      `SELECT U&'d\\0061t;a', B'1', 'é;ü';`,
      `SELECT nodeE'x';`,
      `SELECT $ä$;$ä$;`,
    ];
    assert.deepEqual(statementsOf(statements.join('\n\n')), statements);
  });

  it('takes a command of psql to the end of its line, and what is unfinished to the end', () => {
    assert.deepEqual(statementsOf(`\\restrict x;y\nSELECT 1;\n\\unrestrict x`), [
      '\\restrict x;y',
      'SELECT 1;',
      '\\unrestrict x',
    ]);
    for (const unfinished of [`SELECT 'x`, `SELECT "x`, 'SELECT $$x', 'SELECT /* x', 'SELECT 1 -- x', "SELECT E'\\"]) {
      assert.deepEqual(statementsOf(unfinished), [unfinished]);
    }
  });
});

describe('dumpItems', () => {
  it('tells objects with their kinds, and the settings in force for each', () => {
    const text = `--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\nSET xmloption = content;
SELECT pg_catalog.set_config('search_path', '', false);\n\n${header('a', 'TABLE')}CREATE TABLE public.a (x int);\n\nALTER TABLE public.a OWNER TO me;

SET default_tablespace = fast;\n\n${header('b; Type: x', 'INDEX')}CREATE INDEX b ON public.a (x);\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n`;
    const [table, index, ...rest] = dumpItems(text);
    assert.deepEqual(rest, []);
    assert.equal(table?.text, 'CREATE TABLE public.a (x int);\nALTER TABLE public.a OWNER TO me;');
    assert.deepEqual(
      [table?.type, table?.name, [...(table?.settings.keys() ?? [])]],
      ['TABLE', 'a', ['xmloption', 'search_path']],
    );
    assert.deepEqual([index?.type, index?.name], ['INDEX', 'b; Type: x']);
    assert.equal(index?.settings.get('default_tablespace'), 'SET default_tablespace = fast;');
    assert.equal(index?.text, 'CREATE INDEX b ON public.a (x);');
  });

  it('is not misled by what looks like a header within a text', () => {
    const comment = `COMMENT ON TABLE a IS '\n${header('x', 'INDEX')}SET xmloption = content;\n\\! rm';`;
    const [item, ...rest] = dumpItems(`${header('a', 'COMMENT')}${comment}\n`);
    assert.deepEqual(rest, []);
    assert.equal(item?.text, comment);
  });

  it('reads the headers of a verbose dump, and passes over objects without statements', () => {
    const text = `--\n-- TOC entry 1 (class 2 OID 3)\n-- Name: s; Type: SCHEMA; Schema: -; Owner: me\n--\n\n-- *not* creating schema\n\n\n${header('i', 'INDEX')}CREATE INDEX i;\n`;
    assert.deepEqual(
      dumpItems(text).map(({ name, type }) => [name, type]),
      [['i', 'INDEX']],
    );
  });

  it('refuses commands of psql', () => {
    const refuses = (error: unknown) => error instanceof HoldfastError && error.code === 'target.invalid';
    assert.throws(() => dumpItems('\\connect other\n'), refuses);
    assert.throws(() => dumpItems(`${header('a', 'TABLE')}\\! touch /tmp/x\n`), refuses);
  });
});
