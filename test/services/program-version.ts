import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The version that a program tells: the first number with a dot that `--version` prints. */
export async function programVersion(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version']);
  const version = /(\d+\.[\d.]*\d)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} --version tells no version: ${stdout}`);
  return version;
}
