import type { Command } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { gather } from './key-options.ts';
import { printJson, printLines } from './print-result.ts';
import { createTextFile } from './private-file.ts';

interface InitOptions extends OutputOptions {
  readonly url?: readonly string[];
  readonly files?: readonly string[];
  readonly storagePath?: string;
  readonly recipient?: readonly string[];
}

const fileName = 'holdfast.config.ts';

/** Adds `holdfast init`. */
export function addInitCommand(program: Command, context: CommandContext): void {
  program
    .command('init')
    .description(`write a first ${fileName}; asks on a terminal unless options are given`)
    .option('--url <url>', 'a database to back up (repeatable)', gather)
    .option('--files <folder>', 'a folder to back up (repeatable)', gather)
    .option('--storage-path <folder>', 'where archives go (backups unless given)')
    .option('--recipient <age1…>', 'age recipient who can open the archives (repeatable)', gather)
    .option('--json', 'print the result as JSON')
    .action(async (options: InitOptions) => {
      await refuseToOverwrite();
      const answers = await completeAnswers(options, context);
      await createTextFile(fileName, formatConfig(answers));
      if (options.json) printJson(context, { file: fileName });
      else printLines(context, [`${fileName}: written`, '  next  holdfast backup --dry-run']);
    });
}

async function refuseToOverwrite(): Promise<void> {
  const { findConfigFile } = await import('../config/load-config.ts');
  const found = await findConfigFile('.');
  if (found === undefined) return;
  throw new HoldfastError('target.exists', {
    message: `${found} exists`,
    hint: 'edit it, or move it away first',
    context: { path: found },
  });
}

async function completeAnswers(options: InitOptions, context: CommandContext): Promise<InitOptions> {
  const given = [options.url, options.files, options.storagePath, options.recipient].some(
    (value) => value !== undefined,
  );
  const terminal = given || options.json ? undefined : context.openTerminal();
  if (terminal === undefined) return options;
  try {
    const { text, isCancel } = await import('@clack/prompts');
    const ask = async (message: string, placeholder: string): Promise<string> => {
      const { input, output } = terminal;
      const answer = await text({ message, placeholder, input, output, signal: context.signal });
      if (isCancel(answer)) throw new HoldfastError('operation.interrupted', { hint: 'nothing was written' });
      return (answer ?? '').trim();
    };
    const url = await ask('URL of a database (empty: none)', 'sqlite:shop.db');
    const files = await ask('Folder to back up (empty: none)', 'uploads');
    const storagePath = await ask('Folder for the archives', 'backups');
    return {
      ...(url === '' ? {} : { url: [url] }),
      ...(files === '' ? {} : { files: [files] }),
      ...(storagePath === '' ? {} : { storagePath }),
    };
  } finally {
    terminal.close();
  }
}

/** A text as a literal of the file. */
function quote(text: string): string {
  return JSON.stringify(text)
    .replace(/^"|"$/g, "'")
    .replace(/\\"/g, '"')
    .replace(/(?<!^)'(?!$)/g, "\\'");
}

/** A URL without its password, in whose place a variable stands. */
function withoutPassword(url: string, alias: string): string {
  const variable = `${alias.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_PASSWORD`;
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/@:]*):[^/@]*@/i, `$1:\${${variable}}@`);
}

/** The alias of a database in a first configuration: the name of its file, or its own. */
function aliasOf(url: string, index: number): string {
  const name =
    /([^/:?#]+?)(?:\.[^./]*)?$/.exec(url.replace(/\?.*$/s, ''))?.[1]?.replace(/[^A-Za-z0-9_-]+/g, '-') ?? 'main';
  return index === 0 ? name : `${name}-${index + 1}`;
}

/** The text of a first configuration: what was given, and the other settings as comments. */
export function formatConfig(answers: InitOptions): string {
  const { url = [], files = [], storagePath = 'backups', recipient = [] } = answers;
  const list = (items: readonly string[]) => `[${items.join(', ')}]`;
  const databases = url.map((item, index) => {
    const alias = aliasOf(item, index);
    return `{ alias: ${quote(alias)}, url: ${quote(withoutPassword(item, alias))} }`;
  });
  const databasesLine =
    databases.length > 0
      ? `databases: ${list(databases)},`
      : "// databases: [{ alias: 'shop', url: 'sqlite:shop.db' }],";
  const filesLine = files.length > 0 ? `files: ${list(files.map(quote))},` : "// files: ['uploads'],";
  const recipientsLine =
    recipient.length > 0 ? `recipients: ${list(recipient.map(quote))},` : "// recipients: ['age1…'],";
  return `import { defineConfig } from 'holdfast';

// \${NAME} in a text stands for the environment variable NAME; secrets belong there, not here.
export default defineConfig({
  // The databases, each with its name in the archives.
  ${databasesLine}

  // Folders, with all that is in them.
  ${filesLine}

  // Where the archives go, and how they are named.
  storage: { backend: 'local', path: ${quote(storagePath)} },
  // filenameTemplate: '{database}_{timestamp}_{env}',
  // environment: 'production',

  // Who can open the archives: make a pair with \`holdfast key new\`. Without recipients a passphrase is needed
  // ($HOLDFAST_PASSPHRASE, --passphrase-file, or it is asked for).
  ${recipientsLine}

  // compression: 'zstd', // gzip, bz2, xz, none
  // copies: 2, // how often an archive holds everything, so that it can heal itself
});
`;
}
