import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { HoldfastError } from '../errors.ts';
import type { ArchiveLocation, OpenKeys, SealKeys } from '../operation/options.ts';
import type { OpenPgpOpenKeys, OpenPgpSealKeys } from '../plain/openpgp-message.ts';
import { Secret } from '../secret.ts';
import { askNewPassphrase, askPassphrase } from './ask.ts';
import type { CommandContext } from './command-context.ts';
import { configuredKeyFor } from './configured-key.ts';
import { meaningfulLines, readTextFile } from './read-text-file.ts';

/** What the command line says about passphrases. */
export interface PassphraseOptions {
  readonly passphraseFile?: string;
  readonly passphrase?: string;
  /** Of the configuration. */
  readonly configuredKey?: Secret;
}

/** What the command line says about keys for reading. */
export interface OpenKeyOptions extends PassphraseOptions {
  readonly identityFile?: readonly string[];
  /** Files with shares of one key. */
  readonly shareFile?: readonly string[];
  /** Files of OpenPGP secret keys. */
  readonly openpgpKey?: readonly string[];
  /** A storage of the configuration, whose key may be the right one. */
  readonly storage?: string;
}

/** What the command line says about keys to seal for. */
export interface SealKeyOptions extends PassphraseOptions {
  readonly recipient?: readonly string[];
  readonly recipientsFile?: readonly string[];
  /** Files of OpenPGP public keys. */
  readonly openpgpKey?: readonly string[];
}

/** Gathers an option that may be given several times. */
export function gather(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}

function addPassphraseOptions(command: Command): Command {
  return command
    .option('--passphrase-file <path>', 'file with the passphrase (else $HOLDFAST_PASSPHRASE, else it is asked for)')
    .addOption(
      new Option(
        '--passphrase <text>',
        'the passphrase itself: everyone on this machine can see it in the process list',
      ).conflicts('passphraseFile'),
    );
}

/** Adds the options for reading. */
export function addOpenKeyOptions(command: Command): Command {
  return addPassphraseOptions(command)
    .option('--identity-file <path>', 'file with age identities (repeatable)', gather)
    .option('--share-file <path>', 'file with a share of a key that was split (repeatable)', gather);
}

/** Adds the options for sealing. */
export function addSealKeyOptions(command: Command): Command {
  return addPassphraseOptions(command)
    .option('--recipient <age1…>', 'age recipient who can open the archive (repeatable)', gather)
    .option('--recipients-file <path>', 'file with age recipients, one a line (repeatable)', gather);
}

/** A passphrase as a file holds it: the newline that editors put at the end is cut, nothing else. */
export async function readPassphraseFile(path: string): Promise<Secret> {
  const text = (await readTextFile(path, 'passphrase file')).replace(/\r?\n$/, '');
  if (text === '') throw emptyPassphrase(`the passphrase file ${path}`);
  return new Secret(text);
}

function emptyPassphrase(where: string): HoldfastError {
  return new HoldfastError('key.invalid', { message: `${where} holds an empty passphrase`, hint: 'write one into it' });
}

/** The passphrase of the command line, or else of the environment. */
async function givenPassphrase(options: PassphraseOptions, context: CommandContext): Promise<Secret | undefined> {
  if (options.passphraseFile !== undefined) return readPassphraseFile(options.passphraseFile);
  if (options.passphrase === '') throw emptyPassphrase('--passphrase');
  if (options.passphrase !== undefined) return new Secret(options.passphrase);
  const ofEnvironment = context.environment['HOLDFAST_PASSPHRASE'];
  return ofEnvironment ? new Secret(ofEnvironment) : options.configuredKey;
}

/** `--openpgp-key`. */
export function openpgpKeyOption(description: string): Option {
  return new Option('--openpgp-key <path>', `${description} (repeatable)`).argParser(gather);
}

/** Files of OpenPGP keys. Throws `key.invalid`. */
export async function readOpenpgpKeys(paths: readonly string[] = []): Promise<Uint8Array[]> {
  return await Promise.all(
    paths.map(async (path) => {
      try {
        return await readFile(path);
      } catch (cause) {
        throw new HoldfastError('key.invalid', {
          message: `the OpenPGP key ${path} cannot be read: ${(cause as Error).message}`,
          hint: 'check the path and its permissions',
          context: { path },
          cause,
        });
      }
    }),
  );
}

/** The keys of a plain dump: OpenPGP public keys, and a passphrase, which is asked for where there is neither. */
export async function plainSealKeys(options: SealKeyOptions, context: CommandContext): Promise<OpenPgpSealKeys> {
  const openpgpKeys = await readOpenpgpKeys(options.openpgpKey);
  const passphrase = await givenPassphrase(options, context);
  if (passphrase !== undefined) return { passphrases: [passphrase], openpgpKeys };
  if (openpgpKeys.length > 0) return { openpgpKeys };
  return { passphrases: [await promptNewPassphrase(context)] };
}

/** What opens a plain dump; a passphrase is asked for where nothing is given, and the configuration has none that opens it. */
export async function plainOpenKeys(
  archive: ArchiveLocation,
  options: OpenKeyOptions,
  context: CommandContext,
): Promise<OpenPgpOpenKeys> {
  const { isEncryptedDump } = await import('../operation/plain-restore.ts');
  if (!(await isEncryptedDump(archive))) return {};
  const openpgpKeys = await readOpenpgpKeys(options.openpgpKey);
  const passphrase = await openingPassphrase(options, context);
  if (passphrase !== undefined) return { passphrases: [passphrase], openpgpKeys };
  if (openpgpKeys.length > 0) return { openpgpKeys };
  const configured = await configuredKeyFor(archive, context);
  if (configured !== undefined) return { passphrases: [configured] };
  const asked = await promptPassphrase(context, (terminal) => askPassphrase(terminal, 'passphrase', context.signal));
  return { passphrases: [asked] };
}

/** The identities of some files. */
export async function readIdentities(paths: readonly string[]): Promise<Secret[]> {
  const identities: Secret[] = [];
  for (const path of paths) {
    const lines = meaningfulLines(await readTextFile(path, 'identity file'));
    for (const { line, lineNumber } of lines) {
      if (!/^AGE-SECRET-KEY-1[0-9A-Z]+$/i.test(line)) {
        throw new HoldfastError('key.invalid', { message: `line ${lineNumber} of ${path} is not an age identity` });
      }
      identities.push(new Secret(line));
    }
    if (lines.length === 0) throw new HoldfastError('key.invalid', { message: `${path} holds no age identity` });
  }
  return identities;
}

/** The shares of some files, one in each. Throws `key.invalid`. */
export async function readShareFiles(paths: readonly string[]): Promise<Secret[]> {
  const shares: Secret[] = [];
  for (const path of paths) {
    const lines = meaningfulLines(await readTextFile(path, 'share file'));
    if (lines.length === 0) throw new HoldfastError('key.invalid', { message: `${path} holds no share` });
    shares.push(new Secret(lines.map(({ line }) => line).join('')));
  }
  return shares;
}

/** What shares give back, as keys for reading. */
async function joinedKeys(paths: readonly string[] | undefined): Promise<OpenKeys> {
  if (paths === undefined) return {};
  const { joinKey } = await import('../operation/key-shares.ts');
  const { key, kind } = await joinKey(await readShareFiles(paths));
  return kind === 'identity' ? { identities: [key] } : { passphrases: [key] };
}

/** The recipients of the command line and of its files. */
export async function readRecipients(options: SealKeyOptions): Promise<string[]> {
  const recipients = [...(options.recipient ?? [])];
  for (const path of options.recipientsFile ?? []) {
    const lines = meaningfulLines(await readTextFile(path, 'recipients file'));
    if (lines.length === 0) throw new HoldfastError('key.invalid', { message: `${path} holds no age recipient` });
    recipients.push(...lines.map(({ line }) => line));
  }
  const wrong = recipients.find((recipient) => !/^age1[0-9a-z]+$/i.test(recipient));
  if (wrong === undefined) return recipients;
  // An identity given in place of its recipient must not be printed.
  const shown = /^AGE-SECRET-KEY/i.test(wrong) ? 'an identity' : `\`${wrong}\``;
  throw new HoldfastError('key.invalid', { message: `${shown} is not an age recipient` });
}

/** The passphrase for reading: given, or that of the configuration where the archive is on a storage of it. */
async function openingPassphrase(options: OpenKeyOptions, context: CommandContext): Promise<Secret | undefined> {
  const given = await givenPassphrase(options, context);
  if (given !== undefined || options.storage === undefined) return given;
  const { loadConfig } = await import('../config/load-config.ts');
  const { encryptionKey } = (await loadConfig('.', context.environment)).config;
  return encryptionKey === undefined ? undefined : new Secret(encryptionKey);
}

/** The keys for reading that were given, without asking; undefined where there are none. */
export async function givenOpenKeys(options: OpenKeyOptions, context: CommandContext): Promise<OpenKeys | undefined> {
  const joined = await joinedKeys(options.shareFile);
  const identities = [...(await readIdentities(options.identityFile ?? [])), ...(joined.identities ?? [])];
  const passphrase = await openingPassphrase(options, context);
  const passphrases = [...(joined.passphrases ?? []), ...(passphrase === undefined ? [] : [passphrase])];
  return identities.length + passphrases.length === 0 ? undefined : { identities, passphrases };
}

/** The keys for reading an archive that were given, or else that of the configuration here where it opens it; undefined where there are none. */
export async function knownOpenKeys(
  archive: ArchiveLocation,
  options: OpenKeyOptions,
  context: CommandContext,
): Promise<OpenKeys | undefined> {
  const given = await givenOpenKeys(options, context);
  if (given !== undefined || options.storage !== undefined) return given;
  const configured = await configuredKeyFor(archive, context);
  return configured && { passphrases: [configured] };
}

/** The keys for reading an archive: known, or asked for where it needs one; undefined where it needs none. */
export async function openKeys(
  archive: ArchiveLocation,
  options: OpenKeyOptions,
  context: CommandContext,
): Promise<OpenKeys | undefined> {
  const given = await givenOpenKeys(options, context);
  if (given !== undefined) return given;
  const { summarizeArchive } = await import('../operation/inspect.ts');
  const { encryption, slots } = await summarizeArchive(archive);
  if (encryption === 'none') return undefined;
  if (!slots.some((slot) => slot.type === 'passphrase')) {
    throw new HoldfastError('key.missing', { hint: 'it is sealed for age recipients: give --identity-file' });
  }
  const configured = options.storage === undefined ? await configuredKeyFor(archive, context) : undefined;
  return {
    passphrases: [
      configured ??
        (await promptPassphrase(context, (terminal) => askPassphrase(terminal, 'passphrase', context.signal))),
    ],
  };
}

/** The keys to seal for: given, or a new passphrase that is asked for twice. */
export async function sealKeys(options: SealKeyOptions, context: CommandContext): Promise<SealKeys> {
  const recipients = await readRecipients(options);
  const passphrase = await givenPassphrase(options, context);
  if (passphrase !== undefined) return { passphrases: [passphrase], recipients };
  if (recipients.length > 0) return { recipients };
  return { passphrases: [await promptNewPassphrase(context)] };
}

/** Asks for a new passphrase. Throws `key.missing` where nobody can be asked. */
export function promptNewPassphrase(context: CommandContext): Promise<Secret> {
  const hint = 'set $HOLDFAST_PASSPHRASE, or give --passphrase-file or --recipient';
  return promptPassphrase(context, (terminal) => askNewPassphrase(terminal, 'new passphrase', context.signal), hint);
}

async function promptPassphrase(
  context: CommandContext,
  ask: (terminal: NonNullable<ReturnType<CommandContext['openTerminal']>>) => Promise<Secret>,
  hint?: string,
): Promise<Secret> {
  const terminal = context.openTerminal();
  if (terminal === undefined) throw new HoldfastError('key.missing', hint === undefined ? {} : { hint });
  try {
    return await ask(terminal);
  } finally {
    terminal.close();
  }
}
