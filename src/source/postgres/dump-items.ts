import { HoldfastError } from '../../errors.ts';
import { SqlScanner } from './sql-scanner.ts';

/** One object of a dump, with what its statements rely on. */
export interface DumpItem {
  /** `TABLE`, `INDEX`, `FK CONSTRAINT`, …: as the dump tells it. */
  readonly type: string;
  readonly name: string;
  /** In one text: statements whose ends cannot be told stay together. */
  readonly text: string;
  /** `SET …` statements in force, by the name of the setting. */
  readonly settings: ReadonlyMap<string, string>;
}

const header =
  /--\n(?:-- (?!Name: |Data for Name: ).*\n)*-- (?:Data for )?Name: (.*); Type: ([^;\n]*); Schema: (.*); Owner: (.*)\n(?:-- .*\n)*--\n/y;
const setting = /^SET (?:SESSION )?([a-z_.]+) = /;
const searchPath = /^SELECT pg_catalog\.set_config\('(search_path)'/;
/** Limits are our own: those of the dump would lift them. */
const ignored =
  /^(statement_timeout|lock_timeout|transaction_timeout|idle_in_transaction_session_timeout|client_min_messages)$/;

/**
 * The objects of a plain dump, in its order. The commands with which `psql` is kept from running others are left out, since nothing here runs any.
 * Throws `target.invalid` for any other command of `psql`.
 */
export function dumpItems(text: string): DumpItem[] {
  const items: DumpItem[] = [];
  let settings: ReadonlyMap<string, string> = new Map();
  let current = { type: '', name: '', parts: [] as string[], settings };
  const end = () => {
    const whole = current.parts.join('\n');
    if (whole !== '') items.push({ type: current.type, name: current.name, text: whole, settings: current.settings });
  };
  const scanner = new SqlScanner(text);
  for (;;) {
    header.lastIndex = scanner.skipBlank();
    const found = header.exec(text);
    if (found !== null) {
      end();
      current = { type: found[2] ?? '', name: found[1] ?? '', parts: [], settings };
      scanner.at = header.lastIndex;
      continue;
    }
    if (scanner.skipComment()) continue;
    const statement = scanner.next();
    if (statement === undefined) break;
    if (statement.startsWith('\\')) checkCommand(statement);
    else {
      const name = (setting.exec(statement) ?? searchPath.exec(statement))?.[1];
      if (name === undefined) current.parts.push(statement);
      else if (!ignored.test(name)) settings = new Map([...settings, [name, statement]]);
      if (name !== undefined && current.parts.length === 0) current.settings = settings;
    }
  }
  end();
  return items;
}

function checkCommand(line: string): void {
  if (/^\\(un)?restrict( |$)/.test(line)) return;
  throw new HoldfastError('target.invalid', {
    message: 'the dump has commands of psql, which are not run',
    hint: 'back up without the extra option that asks for them',
  });
}
