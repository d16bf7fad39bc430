import { execFile } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { commandAs, giveTo, type ServerUser } from './server-user.ts';

const run = promisify(execFile);

/** How a data folder is made. */
export interface TemplateOptions {
  /** Tells one kind and version from another. */
  readonly name: string;
  readonly user: ServerUser | undefined;
  /** The command that makes a data folder at a path, which is not there yet. */
  readonly commandFor: (folder: string) => readonly string[];
}

/** Where templates stay, so that each kind of data folder is made once on a machine: entered by servers, written by this user alone. */
function templatesFolder(): string {
  const userId = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `holdfast-service-templates-${userId}`);
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const stats = lstatSync(folder);
  const isOwn =
    stats.isDirectory() && (process.getuid === undefined || stats.uid === userId) && (stats.mode & 0o022) === 0;
  if (!isOwn) throw new Error(`${folder} belongs to somebody else`);
  return folder;
}

/** The template, made aside and renamed into its place: of two that make it at once, the later finds it there and drops its own. */
async function templateFolder({ name, user, commandFor }: TemplateOptions): Promise<string> {
  const templates = templatesFolder();
  const template = join(templates, `${name}-${user?.userId ?? 'self'}`);
  if (lstatSync(template, { throwIfNoEntry: false }) !== undefined) return join(template, 'data');
  const aside = mkdtempSync(join(templates, 'new-'));
  try {
    giveTo(aside, user);
    const [program = '', ...args] = commandAs(user, commandFor(join(aside, 'data')));
    const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC' };
    await run(program, args, { cwd: aside, env, timeout: 120_000, maxBuffer: 16 << 20 });
    renameSync(aside, template);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (lstatSync(template, { throwIfNoEntry: false }) === undefined) throw error;
  }
  return join(template, 'data');
}

/** A new data folder at a path: a copy of the template. */
export async function copyTemplate(options: TemplateOptions, to: string): Promise<void> {
  const template = await templateFolder(options);
  if (process.platform === 'linux') {
    await run('cp', ['-a', '--reflink=auto', template, to]);
  } else {
    cpSync(template, to, { recursive: true });
    chmodSync(to, 0o700);
  }
}
