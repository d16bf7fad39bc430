import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { isSystemError } from '../disk/system-error.ts';
import { HoldfastError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { storageErrorFrom } from '../storage/durable-file.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { gather, givenOpenKeys, readShareFiles } from './key-options.ts';
import { wholeNumber } from './number-options.ts';
import { printJson, printLines, printNote } from './print-result.ts';
import { createPrivateFile } from './private-file.ts';

interface SplitOptions extends OutputOptions {
  readonly shares: number;
  readonly threshold: number;
  readonly identityFile?: readonly string[];
  readonly passphraseFile?: string;
  readonly output: string;
  readonly label?: string;
}

interface JoinOptions extends OutputOptions {
  readonly shareFile: readonly string[];
  readonly output?: string;
}

/** Adds `key split` and `key join`. */
export function addKeyShareCommands(key: Command, context: CommandContext): void {
  key
    .command('split')
    .description('split a key into shares, some of which give it back, each on a sheet to print')
    .requiredOption('--shares <count>', 'how many shares, 2 to 255', wholeNumber(2, 255))
    .requiredOption('--threshold <count>', 'how many of them give the key back, 2 at least', wholeNumber(2, 255))
    .option('--identity-file <path>', 'file with the age identity to split', gather)
    .option('--passphrase-file <path>', 'file with the passphrase to split (else $HOLDFAST_PASSPHRASE)')
    .requiredOption('--output <folder>', 'a new folder for the sheets: a page and a text file for each share')
    .option('--label <text>', 'what the key is for; it stands on the sheets')
    .option('--json', 'print the result as JSON')
    .action((options: SplitOptions) => split(options, context));
  key
    .command('join')
    .description('put a key together from its shares')
    .requiredOption('--share-file <path>', 'file with a share (repeatable)', gather)
    .option('--output <path>', 'write the key here, for its owner only (printed unless given)')
    .option('--json', 'print the result as JSON')
    .action((options: JoinOptions) => joinShares(options, context));
}

async function keyToSplit(options: SplitOptions, context: CommandContext): Promise<Secret> {
  const { identities = [], passphrases = [] } = (await givenOpenKeys(options, context)) ?? {};
  // A passphrase of the environment is not what was meant where an identity is given.
  const keys = identities.length > 0 ? identities : passphrases;
  const [only] = keys;
  if (only !== undefined && keys.length === 1) return only;
  throw new HoldfastError('key.missing', {
    message: keys.length === 0 ? 'there is no key to split' : 'there are several keys: one is split at a time',
    hint: 'give --identity-file or --passphrase-file',
  });
}

async function split(options: SplitOptions, context: CommandContext): Promise<void> {
  const { shares, threshold, output, label = '', json } = options;
  const key = await keyToSplit(options, context);
  const { splitKey } = await import('../operation/key-shares.ts');
  const { sheetPage, sheetText } = await import('./recovery-sheet.ts');
  const written = await splitKey(key, { shares, threshold });
  await makeSheetFolder(output);
  const files: { readonly number: number; readonly text: string; readonly page: string }[] = [];
  for (const [index, share] of written.entries()) {
    const number = index + 1;
    const sheet = { share, number, shares, threshold, label, createdMs: context.clock.nowMs() };
    const name = `share-${String(number).padStart(String(shares).length, '0')}`;
    const file = { number, text: join(output, `${name}.txt`), page: join(output, `${name}.html`) };
    await createPrivateFile(file.text, sheetText(sheet));
    await createPrivateFile(file.page, sheetPage(sheet));
    files.push(file);
  }
  if (json) printJson(context, { shares, threshold, files });
  else
    printLines(
      context,
      files.map(({ page, text }) => `${page}  ${text}`),
    );
  printNote(
    context,
    `any ${threshold} of the ${shares} give the key: print the pages, give them to different people, and remove the folder. Try them first: holdfast key drill --share-file …`,
  );
}

/** Sheets are never replaced, and never lie among those of another key. */
async function makeSheetFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'EEXIST') throw storageErrorFrom(error, folder);
    throw new HoldfastError('storage.conflict', {
      message: `${folder} is there already, and the sheets need a folder of their own`,
      hint: 'name a folder that is not there yet',
      cause: error,
    });
  }
}

async function joinShares({ shareFile, output, json }: JoinOptions, context: CommandContext): Promise<void> {
  const { joinKey } = await import('../operation/key-shares.ts');
  const { key, kind } = await joinKey(await readShareFiles(shareFile));
  if (output !== undefined) await createPrivateFile(output, `${key.reveal()}\n`);
  if (json) printJson(context, { kind, ...(output === undefined ? { key: key.reveal() } : { output }) });
  else if (output === undefined) context.stdout.write(`${key.reveal()}\n`);
  else printNote(context, `the ${kind} is in ${output}`);
}
