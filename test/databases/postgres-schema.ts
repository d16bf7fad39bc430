/** The schema of a PostgreSQL database as its own tool tells it, object by object. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { requireProgram } from '../services/find-program.ts';

const run = promisify(execFile);

/** A part of the text of `pg_dump`, which holds one object. */
export interface SchemaPart {
  /** Kind, schema, name and owner. */
  readonly name: string;
  readonly text: string;
}

const header = /^-- (?:Data for )?Name: (.*); Type: ([A-Z ]+); Schema: (.*); Owner: (.*)$/;

/**
 * The parts of a schema. A header counts only within the two empty comments that `pg_dump` puts around it, so that the text of a
 * comment or a function does not pass for one; even then the text of both databases is cut alike.
 */
export function splitSchema(text: string): SchemaPart[] {
  const parts: { name: string; lines: string[] }[] = [{ name: 'settings', lines: [] }];
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    // Versions, and the key of \restrict, which is random.
    if (/^(-- Dumped (from|by) |\\(un)?restrict )/.test(line)) continue;
    const found = lines[index - 1] === '--' && lines[index + 1] === '--' ? header.exec(line) : null;
    if (found === null) parts.at(-1)?.lines.push(line);
    else parts.push({ name: `${found[2]} ${found[3]} ${found[1]} of ${found[4]}`, lines: [] });
  }
  return parts.map(({ name, lines: own }) => ({
    name,
    // Where one object ends and the next begins is told by comments and empty lines. No default, where the parent table has one, is
    // told as NULL the first time, and with a type once it was restored from that.
    text: own
      .join('\n')
      .replace(/^[\n-]+|[\n-]+$/g, '')
      .replace(/ DEFAULT NULL::[^,\n]+?(?=,?$| NOT NULL)/gm, ' DEFAULT NULL'),
  }));
}

/** All objects of a database, with owners, grants and comments. */
export async function readPostgresSchema(url: string): Promise<SchemaPart[]> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const env = {
    PATH: process.env['PATH'],
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
  };
  const { stdout } = await run(requireProgram('pg_dump'), ['--schema-only'], { env, maxBuffer: 256 << 20 });
  if (!stdout.includes('-- PostgreSQL database dump complete')) throw new Error('pg_dump did not end well');
  return splitSchema(stdout);
}
