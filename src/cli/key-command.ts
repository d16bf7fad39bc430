import { type Command, Option } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { ArchiveLocation, KeySlot, SealKeys } from '../operation/options.ts';
import { Secret } from '../secret.ts';
import { askYes } from './ask.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { printable } from './format-value.ts';
import { formatSlots } from './inspect-command.ts';
import { addKeyDrillCommand } from './key-drill-command.ts';
import {
  addOpenKeyOptions,
  gather,
  type OpenKeyOptions,
  openKeys,
  promptNewPassphrase,
  readPassphraseFile,
  readRecipients,
} from './key-options.ts';
import { addKeyShareCommands } from './key-share-commands.ts';
import { archiveStorageOption, withArchive } from './open-storages.ts';
import { printJson, printLines, printNote } from './print-result.ts';
import { createPrivateFile } from './private-file.ts';
import { withoutUndefined } from './without-undefined.ts';

interface AddOptions extends OutputOptions, OpenKeyOptions {
  readonly newPassphraseFile?: string;
  readonly recipient?: readonly string[];
  readonly recipientsFile?: readonly string[];
  readonly label?: string;
}

interface RemoveOptions extends OutputOptions, OpenKeyOptions {
  readonly yes?: boolean;
}

/** Adds `holdfast key`. */
export function addKeyCommand(program: Command, context: CommandContext): void {
  const key = program.command('key').description('make keys, and change which keys open an archive');
  key
    .command('new')
    .description('make an age identity, which reads, and its recipient, which seals')
    .option('--output <path>', 'write the identity here, for its owner only (printed unless given)')
    .option('--json', 'print the result as JSON')
    .action((options: OutputOptions & { output?: string }) => newIdentity(options, context));
  const add = key
    .command('add')
    .description('let another key open the archive')
    .argument('<archive>', 'path of the archive, or its name on a storage')
    .addOption(archiveStorageOption())
    .addOption(
      new Option(
        '--new-passphrase-file <path>',
        'file with the new passphrase (else $HOLDFAST_NEW_PASSPHRASE, else asked for)',
      ),
    )
    .option('--recipient <age1…>', 'age recipient to add (repeatable)', gather)
    .option('--recipients-file <path>', 'file with age recipients, one a line (repeatable)', gather)
    .option('--label <text>', 'a name for the slot; it stands in the archive in clear')
    .option('--json', 'print the result as JSON');
  addOpenKeyOptions(add).action((archive: string, options: AddOptions) => addSlots(archive, options, context));
  const remove = key
    .command('remove')
    .description('let a key open the archive no longer')
    .argument('<archive>', 'path of the archive, or its name on a storage')
    .argument('<slot>', 'id of the slot, as `holdfast key list` shows it')
    .addOption(archiveStorageOption())
    .option('--yes', 'do not ask')
    .option('--json', 'print the result as JSON');
  addOpenKeyOptions(remove).action((archive: string, slot: string, options: RemoveOptions) =>
    removeSlot(archive, slot, options, context),
  );
  key
    .command('list')
    .description('list the key slots of an archive')
    .argument('<archive>', 'path of the archive, or its name on a storage')
    .addOption(archiveStorageOption())
    .option('--json', 'print the result as JSON')
    .action(async (archive: string, options: OutputOptions & { readonly storage?: string }) => {
      const { slots } = await withArchive(archive, options.storage, context, summarize);
      if (slots.length === 0 && !options.json) printNote(context, `${archive} is not encrypted: it has no key slots`);
      else printSlots(archive, slots, options, context);
    });
  addKeyShareCommands(key, context);
  addKeyDrillCommand(key, context);
}

async function summarize(archive: ArchiveLocation) {
  const { summarizeArchive } = await import('../operation/inspect.ts');
  return summarizeArchive(archive);
}

function printSlots(
  archive: string,
  slots: readonly KeySlot[],
  { json }: OutputOptions,
  context: CommandContext,
): void {
  if (json) printJson(context, { archive, slots });
  else printLines(context, formatSlots(slots, context));
}

async function newIdentity(options: OutputOptions & { output?: string }, context: CommandContext): Promise<void> {
  const { generateX25519Identity, identityToRecipient } = await import('age-encryption');
  const identity = new Secret(await generateX25519Identity());
  const recipient = await identityToRecipient(identity.reveal());
  const created = new Date(context.clock.nowMs()).toISOString();
  const text = `# created: ${created}\n# recipient: ${recipient}\n${identity.reveal()}\n`;
  const { output, json } = options;
  if (output !== undefined) await createPrivateFile(output, text);
  if (json) {
    const where = output === undefined ? { identity: identity.reveal() } : { identityFile: output };
    printJson(context, { recipient, ...where });
  } else if (output === undefined) {
    context.stdout.write(text);
  } else {
    context.stdout.write(`${recipient}\n`);
    printNote(context, `the identity is in ${output}: keep it away from the machines that write backups`);
  }
}

async function addSlots(archive: string, options: AddOptions, context: CommandContext): Promise<void> {
  const { addKeySlots } = await import('../operation/keys.ts');
  const { label } = options;
  const { signal } = context;
  const slots = await withArchive(archive, options.storage, context, async (location) => {
    const keys = await openKeys(location, options, context);
    if (keys === undefined) throw notEncrypted(archive);
    const add = await newKeys(options, context);
    return await addKeySlots({ archive: location, keys, add, ...withoutUndefined({ label }), signal });
  });
  printSlots(archive, slots, options, context);
}

async function newKeys(options: AddOptions, context: CommandContext): Promise<SealKeys> {
  const recipients = await readRecipients(withoutUndefined(options));
  if (options.newPassphraseFile !== undefined) {
    return { recipients, passphrases: [await readPassphraseFile(options.newPassphraseFile)] };
  }
  if (recipients.length > 0) return { recipients };
  const ofEnvironment = context.environment['HOLDFAST_NEW_PASSPHRASE'];
  return { passphrases: [ofEnvironment ? new Secret(ofEnvironment) : await promptNewPassphrase(context)] };
}

async function removeSlot(
  archive: string,
  slot: string,
  options: RemoveOptions,
  context: CommandContext,
): Promise<void> {
  if (!options.yes) await confirmRemoval(archive, slot, context);
  const { removeKeySlot } = await import('../operation/keys.ts');
  const { slots } = await withArchive(archive, options.storage, context, async (location) => {
    const keys = await openKeys(location, options, context);
    if (keys === undefined) throw notEncrypted(archive);
    await removeKeySlot({ archive: location, keys, slotId: slot, signal: context.signal });
    return await summarize(location);
  });
  printSlots(archive, slots, options, context);
}

async function confirmRemoval(archive: string, slot: string, context: CommandContext): Promise<void> {
  const terminal = context.openTerminal();
  if (terminal === undefined) {
    throw new HoldfastError('usage.invalid', {
      message: 'the removal of a key has to be confirmed, and there is no terminal to ask on',
      hint: 'give --yes',
    });
  }
  try {
    const question = `Remove the key slot ${printable(slot)} of ${printable(archive)}?`;
    if (await askYes(terminal, question, context.signal)) return;
  } finally {
    terminal.close();
  }
  throw new HoldfastError('operation.interrupted', { message: 'not confirmed: nothing was changed', hint: 'answer y' });
}

function notEncrypted(archive: string): HoldfastError {
  return new HoldfastError('usage.invalid', {
    message: `${archive} is not encrypted: it has no key slots`,
    hint: 'make an encrypted backup in its place',
  });
}
