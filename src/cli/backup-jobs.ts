import { HoldfastError } from '../errors.ts';
import type { BackupReport, SealKeys } from '../operation/options.ts';
import type { Secret } from '../secret.ts';
import type { Source } from '../source/source.ts';
import { underFreeName } from './backup-names.ts';
import type { MadeReport } from './backup-report.ts';
import type { BackupCommandOptions, BackupRequest, OutputGroup } from './backup-request.ts';
import type { CommandContext } from './command-context.ts';
import { plainSealKeys, readIdentities, sealKeys } from './key-options.ts';
import type { GivenRun } from './progress-line.ts';
import { withoutUndefined } from './without-undefined.ts';

/** One archive or plain dump of a run. */
export interface BackupJob {
  readonly group: Pick<OutputGroup, 'output'>;
  readonly copies: number;
  make(run: GivenRun): Promise<MadeReport>;
}

/** Reads the keys. The archives come first, then the plain dumps in their order. Throws `usage.invalid`, and what reading keys throws. */
export async function prepareJobs(
  request: BackupRequest,
  context: CommandContext,
): Promise<{ readonly archives: readonly BackupJob[]; readonly plain: readonly BackupJob[] }> {
  refuseForeignOptions(request);
  const archives = await archiveJobs(request, context);
  return { archives, plain: await plainJobs(request, context) };
}

/**
 * On a command line that says all, an option that would be passed over is a mistake: whoever gives a recipient believes that it is used.
 */
function refuseForeignOptions({ loaded, plain, options }: BackupRequest): void {
  if (loaded !== undefined) return;
  const foreign =
    plain.length > 0
      ? (['recipient', 'recipientsFile', 'copies', 'previous', 'identityFile'] as const)
      : (['openpgpKey'] as const);
  const given = foreign.find((name) => options[name] !== undefined);
  if (given === undefined) return;
  const flag = `--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new HoldfastError('usage.invalid', {
    message: `${flag} is for ${plain.length > 0 ? 'archives, and this is a plain dump' : 'plain dumps, and this is an archive'}`,
    hint:
      plain.length > 0
        ? 'a plain dump is encrypted to a passphrase or to --openpgp-key'
        : 'see --format, or give --recipient',
  });
}

async function archiveJobs(request: BackupRequest, context: CommandContext): Promise<BackupJob[]> {
  const { groups, options } = request;
  if (groups.length === 0) return [];
  const { collectSources } = await import('./collect-sources.ts');
  const keys = await keysFor(options, context);
  const identities = await readIdentities(options.identityFile ?? []);
  return groups.map((group) => ({
    group,
    copies: group.copies ?? 2,
    make: async (run) =>
      await underFreeName(group.output, async (output) => {
        // A source is read once: another archive takes new ones.
        const sources = await collectSources(request.sources, request.local);
        return await makeArchive({ sources, group: { ...group, output }, keys, identities, options }, run);
      }),
  }));
}

async function plainJobs({ plain, options }: BackupRequest, context: CommandContext): Promise<BackupJob[]> {
  if (plain.length === 0) return [];
  const { compression, verify, temporaryFolder, allowedFall } = options;
  if (verify === 'structure') {
    throw new HoldfastError('usage.invalid', {
      message: 'a plain dump has no structure of its own that could be read back',
      hint: '--verify contents, or none',
    });
  }
  const encryption = options.encryption === 'none' ? ('none' as const) : ('openpgp' as const);
  const keys = encryption === 'none' ? refuseKeys(options) : await plainSealKeys(options, context);
  const { createPlainBackup } = await import('../operation/plain-backup.ts');
  const { plainSourceFromUrl } = await import('../source/parse-url.ts');
  return plain.map(({ request: { url, format: _, ...settings }, output }) => ({
    group: { output },
    copies: 1,
    make: async (run) =>
      await underFreeName(output, async (free) =>
        createPlainBackup({
          source: await plainSourceFromUrl(url, settings),
          output: free,
          encryption,
          ...withoutUndefined({ keys, compression, verify, temporaryFolder }),
          ...withoutUndefined({ allowedFall: allowedFall === undefined ? undefined : allowedFall / 100 }),
          ...run,
        }),
      ),
  }));
}

async function makeArchive(
  archive: {
    readonly sources: readonly Source[];
    readonly group: OutputGroup;
    readonly keys: SealKeys | undefined;
    readonly identities: readonly Secret[];
    readonly options: BackupCommandOptions;
  },
  run: GivenRun,
): Promise<BackupReport> {
  const { sources, keys, identities } = archive;
  const { output, copies, parityBlocks } = archive.group;
  // A stripe has 255 blocks at most.
  const dataBlocks = parityBlocks === undefined ? undefined : Math.min(239, 255 - parityBlocks);
  const { compression, encryption, verify, threads, temporaryFolder, previous, allowedFall } = archive.options;
  const { createBackup } = await import('../operation/backup.ts');
  return await createBackup({
    sources,
    output,
    ...withoutUndefined({ keys, compression, copies, dataBlocks, parityBlocks, encryption, verify, threads }),
    ...withoutUndefined({ temporaryFolder, previous }),
    ...withoutUndefined({ allowedFall: allowedFall === undefined ? undefined : allowedFall / 100 }),
    previousKeys: { identities },
    ...run,
  });
}

async function keysFor(options: BackupCommandOptions, context: CommandContext): Promise<SealKeys | undefined> {
  return options.encryption === 'none' ? refuseKeys(options) : await sealKeys(options, context);
}

/** Throws `usage.invalid` where a key is given, and nothing is to be encrypted. */
function refuseKeys(options: BackupCommandOptions): undefined {
  const { passphrase, passphraseFile, recipient, recipientsFile, openpgpKey } = options;
  const keys = [passphrase, passphraseFile, recipient, recipientsFile, openpgpKey];
  if (keys.every((key) => key === undefined)) return undefined;
  throw new HoldfastError('usage.invalid', {
    message: 'a key is given, and the encryption is none',
    hint: 'leave out --encryption none, or the key',
  });
}
