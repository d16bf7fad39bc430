import { execFile } from 'node:child_process';
import { readdirSync, realpathSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError, throwIfAborted } from '../../errors.ts';

/** Programs that come with PostgreSQL. */
export type ToolName = 'pg_dump' | 'pg_dumpall' | 'pg_restore' | 'psql';

/** A program as it was found. */
export interface PostgresTool {
  readonly path: string;
  /** `15.18` */
  readonly version: string;
}

const run = promisify(execFile);
const versionLimitMs = 10_000;
/** Where Debian keeps every version that is installed; the one on PATH may be older. */
const versionsFolder = '/usr/lib/postgresql';

/** `15` of `15.18`. */
export function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

/** Finds a program that is not older than the server. Throws `tool.not_found`, `tool.too_old`; both name the package to install. */
export async function findTool(
  name: ToolName,
  serverVersion: string,
  signal?: AbortSignal | undefined,
): Promise<PostgresTool> {
  const wanted = majorOf(serverVersion);
  const installed = versionFolders().map((folder) => `${folder}/bin/${name}`);
  const paths = [...(installed.length > 0 && isDebianWrapper(name) ? [] : [name]), ...installed];
  const versions = await Promise.all(paths.map((path) => toolVersion(path, signal)));
  const found = paths.flatMap((path, index): PostgresTool[] => {
    const version = versions[index];
    return version === undefined ? [] : [{ path, version }];
  });
  // The nearest to the server: a newer one writes what older servers do not read.
  const fitting = found.filter(({ version }) => majorOf(version) >= wanted);
  const tool = fitting.sort((a, b) => majorOf(a.version) - majorOf(b.version))[0];
  if (tool !== undefined) return tool;
  const hint = `install the Debian package postgresql-client-${wanted} (apt-get install postgresql-client-${wanted})`;
  const [newest] = found.sort((a, b) => majorOf(b.version) - majorOf(a.version));
  if (newest === undefined) {
    throw new HoldfastError('tool.not_found', {
      message: `the program ${name} of PostgreSQL is not installed`,
      hint,
      context: { program: name },
    });
  }
  throw new HoldfastError('tool.too_old', {
    message: `${name} ${newest.version} is older than the server, PostgreSQL ${serverVersion}`,
    hint,
    context: { program: name, version: newest.version, serverVersion },
  });
}

/** Debian's program of that name is a script that looks for one of {@link versionFolders}, which takes longer than all else. */
function isDebianWrapper(name: ToolName): boolean {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      return basename(realpathSync(join(folder, name))) === 'pg_wrapper';
    } catch {
      // The next folder may have it.
    }
  }
  return false;
}

function versionFolders(): string[] {
  try {
    return readdirSync(versionsFolder).map((version) => `${versionsFolder}/${version}`);
  } catch {
    return [];
  }
}

async function toolVersion(path: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    const limits = { timeout: versionLimitMs, ...(signal === undefined ? {} : { signal }) };
    const { stdout } = await run(path, ['--version'], limits);
    return /\(PostgreSQL\) (\d+(?:\.\d+)*)/.exec(stdout)?.[1];
  } catch {
    throwIfAborted(signal);
    return undefined;
  }
}
