import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { HoldfastConfig } from '../config/config-schema.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { HoldfastError } from '../errors.ts';
import type { Diagnosis } from '../operation/doctor.ts';
import { Secret } from '../secret.ts';
import { isStorage } from '../storage/is-storage.ts';
import type { CommandContext, OutputOptions } from './command-context.ts';
import { formatAgo, formatNumberOf, paint, printable } from './format-value.ts';
import { formatTable, printJson, printLines, printNote } from './print-result.ts';
import { existingHistory } from './record.ts';

/** Adds `holdfast doctor`. */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description(
      'check all that backups of this configuration need: tools, rights, keys, storages, clocks, the last backup',
    )
    .option('--json', 'print the result as JSON')
    .action(async (options: OutputOptions) => {
      const checks = await examine(context);
      const failed = checks.filter(({ state }) => state === 'failed').length;
      const warnings = checks.filter(({ state }) => state === 'warning').length;
      if (options.json) printJson(context, { healthy: failed === 0, failed, warnings, checks });
      else printReport(checks, { failed, warnings }, context);
      context.exitCode = failed === 0 ? 0 : 1;
    });
}

async function examine(context: CommandContext): Promise<Diagnosis[]> {
  const { diagnose } = await import('../operation/doctor.ts');
  const { loadConfig } = await import('../config/load-config.ts');
  const loaded: { config?: LoadedConfig } = {};
  const configuration = await diagnose('configuration', 'holdfast.config', async () => {
    loaded.config = await loadConfig('.', context.environment);
    const { config, file } = loaded.config;
    if (config.enabled !== false) return `${file} is valid`;
    return { state: 'warning', message: `${file}: enabled is false: nothing is backed up`, hint: 'enable it' };
  });
  const checks: Diagnosis[] = [
    { part: 'machine', name: 'node', state: 'ok', message: `Node ${process.versions.node}` },
    configuration,
  ];
  if (loaded.config === undefined) return checks;
  checks.push(...(await examineTools(loaded.config.config)));
  checks.push(...(await examineKeys(loaded.config, context)));
  checks.push(...(await examineDatabases(loaded.config, context)));
  checks.push(...(await examineStorages(loaded.config, context)));
  checks.push(...(await examineCatalogues(loaded.config, context)));
  checks.push(...(await examineDrills(loaded.config, context)));
  const { examineShared } = await import('./doctor-shared.ts');
  checks.push(...(await examineShared(loaded.config)));
  checks.push(await examineNotifications(loaded.config));
  return checks;
}

async function examineTools({ compression, commands = [] }: HoldfastConfig): Promise<Diagnosis[]> {
  const { diagnose } = await import('../operation/doctor.ts');
  const { checkProgram } = await import('../source/command/command-program.ts');
  const compressors = { bz2: 'bzip2', xz: 'xz' } as const;
  const compressor = compression === 'bz2' || compression === 'xz' ? [compressors[compression]] : [];
  const programs = [
    ...compressor.map((program) => ({ name: program, program: { command: [program] } })),
    ...commands
      .filter(({ enabled }) => enabled !== false)
      .map(({ alias, command, environment = [] }) => ({ name: alias, program: { command, environment } })),
  ];
  return await Promise.all(
    programs.map(({ name, program }) =>
      diagnose('tools', name, async () => {
        checkProgram(program);
        return `${program.command[0]} is installed`;
      }),
    ),
  );
}

async function examineKeys({ config, file }: LoadedConfig, context: CommandContext): Promise<Diagnosis[]> {
  const { diagnose } = await import('../operation/doctor.ts');
  const { encryption, encryptionKey, recipients = [], openpgpKeys = [], databases = [], format } = config;
  if (encryption === 'none') {
    return [{ part: 'keys', name: 'encryption', state: 'warning', message: 'backups are not encrypted' }];
  }
  const hasPassphrase = encryptionKey !== undefined || Boolean(context.environment['HOLDFAST_PASSPHRASE']);
  const isAnyPlain = databases.some((database) => (database.format ?? format) === 'plain');
  const checks = [
    await diagnose('keys', 'passphrase', async () => {
      if (hasPassphrase) return 'a passphrase is set';
      if (recipients.length > 0 || openpgpKeys.length > 0) return 'none; backups are for public keys';
      throw new HoldfastError('key.missing', { message: 'no passphrase is set, and nobody will be there to ask' });
    }),
  ];
  if (recipients.length > 0) {
    checks.push(
      await diagnose('keys', 'recipients', async () => {
        const { Encrypter } = await import('age-encryption');
        for (const recipient of recipients) new Encrypter().addRecipient(recipient);
        return formatNumberOf(recipients.length, 'age recipient');
      }),
    );
  }
  for (const path of openpgpKeys) {
    checks.push(
      await diagnose('keys', path, async () => {
        const { readOpenpgpKeys } = await import('./key-options.ts');
        const { checkPublicKeys } = await import('../plain/openpgp-message.ts');
        await checkPublicKeys(await readOpenpgpKeys([resolve(dirname(file), path)]));
        return 'an OpenPGP key that encrypts';
      }),
    );
  }
  if (isAnyPlain && !hasPassphrase && openpgpKeys.length === 0) {
    const message = 'plain dumps need a passphrase or openpgpKeys: age recipients are of archives';
    checks.push({
      part: 'keys',
      name: 'plain dumps',
      state: 'failed',
      message,
      hint: 'set encryptionKey or openpgpKeys',
    });
  }
  return checks;
}

async function examineDatabases(loaded: LoadedConfig, context: CommandContext): Promise<Diagnosis[]> {
  const { diagnose } = await import('../operation/doctor.ts');
  const { configuredSources } = await import('./backup-request.ts');
  const { collectSources } = await import('./collect-sources.ts');
  const { mediaRequests } = await import('./media-requests.ts');
  const { missingVerification } = await import('../source/unverified-server.ts');
  const temporaryFolder = await mkdtemp(join(tmpdir(), 'holdfast-'));
  const checks: Diagnosis[] = [];
  try {
    for (const request of [...configuredSources(loaded), ...mediaRequests(loaded, undefined, context)]) {
      const name = 'path' in request ? request.path : (request.name ?? 'database');
      checks.push(
        await diagnose('databases', name, async () => {
          const [source] = await collectSources([request]);
          if (source === undefined) throw new HoldfastError('source.empty');
          try {
            const problems: string[] = [];
            const report = ({ path, message }: { path: string; message: string }) =>
              void problems.push(`${path}: ${message}`);
            const found = await source.describe({ temporaryFolder, report, signal: context.signal });
            const what = `${found.type}${found.version === undefined ? '' : ` ${found.version}`}: ${found.label}`;
            const unverified = 'url' in request ? missingVerification(new Secret(request.url)) : undefined;
            if (problems.length === 0 && unverified !== undefined)
              return notVerified(`${what} can be read`, unverified);
            if (problems.length === 0) return `${what} can be read`;
            return { state: 'warning', message: `${what}: ${problems.slice(0, 3).join('; ')}` };
          } finally {
            await source.close();
          }
        }),
      );
    }
  } finally {
    await rm(temporaryFolder, { recursive: true, force: true });
  }
  return checks;
}

/** A server that anybody in between could pretend to be. */
function notVerified(found: string, missing: string): Omit<Diagnosis, 'part' | 'name'> {
  return {
    state: 'warning',
    message: `${found}; its certificate is not checked: who is in between could read along`,
    hint: `add ${missing} to its URL`,
  };
}

async function examineStorages(loaded: LoadedConfig, context: CommandContext): Promise<Diagnosis[]> {
  const { diagnose, examineStorage } = await import('../operation/doctor.ts');
  const { configuredStorages } = await import('../config/configured-storages.ts');
  const { openChosenStorages } = await import('./open-storages.ts');
  const isDoubtful = await doubtfulBackups(loaded, context);
  const checks: Diagnosis[] = [];
  for (const { name, given, enabled, isShard = false } of configuredStorages(loaded.config)) {
    if (!enabled) continue;
    const opening = await diagnose('storages', name, async () => {
      const [opened] = await openChosenStorages(loaded, [name], context);
      if (opened === undefined) throw new HoldfastError('storage.not_found');
      const { clock, signal } = context;
      const readOnly = !isStorage(given) && given.readOnly === true;
      try {
        const found = await examineStorage({
          name,
          storage: opened.storage,
          readOnly,
          isDoubtful,
          clock,
          signal,
        });
        // Backups are on what they are spread over together.
        checks.push(...found.filter(({ part }) => !isShard || part !== 'backups'));
      } finally {
        await opened.storage.close();
      }
      return 'open';
    });
    if (opening.state === 'failed') checks.push(opening);
  }
  return checks;
}

/** What the history knows of backups that are suspect or damaged; without one none is. */
async function doubtfulBackups(loaded: LoadedConfig, context: CommandContext): Promise<(url: string) => boolean> {
  const history = await existingHistory(loaded, context, 'which backups are suspect is not known');
  if (history === undefined) return () => false;
  try {
    const { retentionFacts } = await import('../operation/retention-facts.ts');
    return retentionFacts(await history.runs()).isDoubtful;
  } finally {
    await history.close();
  }
}

/** Whether the storages hold what was put there, by names and sizes. Of those without a catalogue nothing is said. */
async function examineCatalogues(loaded: LoadedConfig, context: CommandContext): Promise<Diagnosis[]> {
  const { diagnose } = await import('../operation/doctor.ts');
  const { openChosenStorages } = await import('./open-storages.ts');
  const { lookAtCatalogues, violationError } = await import('./catalogue-access.ts');
  const { configuredStorages } = await import('../config/configured-storages.ts');
  const checks: Diagnosis[] = [];
  for (const { name, enabled } of configuredStorages(loaded.config)) {
    if (!enabled) continue;
    const opened = await openChosenStorages(loaded, [name], context).catch(() => []);
    try {
      const report = await lookAtCatalogues(opened, loaded, 'names', context);
      const [reading] = report?.storages ?? [];
      // That a storage cannot be read was told already.
      if (report === undefined || reading === undefined) continue;
      if (reading.chains.length === 0 && report.findings.length === 0) continue;
      checks.push(
        await diagnose('catalogue', name, async () => {
          const violation = violationError(report);
          if (violation !== undefined) throw violation;
          const [first] = report.findings;
          if (first === undefined) return 'all that was put there is there';
          const more = report.findings.length > 1 ? ` (and ${report.findings.length - 1} more)` : '';
          const hint = 'see `holdfast catalogue verify`';
          return { state: 'warning', message: `${first.name ?? ''} ${first.message}${more}`.trim(), hint };
        }),
      );
    } finally {
      for (const { storage } of opened) await storage.close();
    }
  }
  return checks;
}

const defaultMaximumAgeDays = 30;
const dayMs = 24 * 60 * 60 * 1000;

/** Backups that were never proven by a drill, or not for long. Of those of which there is none yet nothing is said. */
async function examineDrills(loaded: LoadedConfig, context: CommandContext): Promise<Diagnosis[]> {
  const { drill = {}, enabled } = loaded.config;
  const history = drill.enabled === false || enabled === false ? undefined : await existingHistory(loaded, context);
  if (history === undefined) return [];
  try {
    const { diagnose } = await import('../operation/doctor.ts');
    const { drillFacts } = await import('../operation/drill-facts.ts');
    const { plannedSeries } = await import('./drill-plan.ts');
    const { maxAgeDays = defaultMaximumAgeDays } = drill;
    const runs = await history.runs();
    const { bySeries } = drillFacts(runs);
    const made = new Set(runs.filter(({ kind }) => kind === 'backup').map(({ database }) => database));
    const planned = (await plannedSeries(loaded, context)).filter(({ series }) => made.has(series));
    return await Promise.all(
      planned.map(({ series }) =>
        diagnose('drills', series, async () => {
          const { provenMs, last } = bySeries.get(series) ?? {};
          const hint = `run \`holdfast drill ${series}\`, or set drill.schedule`;
          if (provenMs === undefined) {
            const never = last === undefined ? 'was never restored for a proof' : 'never passed a drill';
            return { state: 'warning', message: `a backup of it ${never}`, hint };
          }
          const age = formatAgo(context.clock.nowMs() - provenMs);
          if (last?.isProven === false)
            return { state: 'failed', message: `the last drill failed; proven ${age}`, hint };
          const isOld = context.clock.nowMs() - provenMs > maxAgeDays * dayMs;
          return isOld
            ? { state: 'warning', message: `proven ${age}, more than ${maxAgeDays} days`, hint }
            : `proven ${age}`;
        }),
      ),
    );
  } finally {
    await history.close();
  }
}

/** Nothing is sent: `notify test` does that. */
async function examineNotifications({ config, file }: LoadedConfig): Promise<Diagnosis> {
  const { diagnose } = await import('../operation/doctor.ts');
  const { openSubscriptions } = await import('../config/notification-settings.ts');
  return await diagnose('notifications', 'failures', async () => {
    const told = (await openSubscriptions(config, file)).filter(({ events }) => events.includes('failure'));
    if (told.length > 0) return `are told by ${[...new Set(told.map(({ notifier }) => notifier.type))].join(', ')}`;
    return {
      state: 'warning',
      message: 'nobody is told of a backup that fails',
      hint: 'set notifications, and try them with `holdfast notify test`',
    };
  });
}

const colours = { ok: 'green', warning: 'yellow', failed: 'red' } as const;

function printReport(
  checks: readonly Diagnosis[],
  { failed, warnings }: { readonly failed: number; readonly warnings: number },
  context: CommandContext,
): void {
  const verdict =
    failed > 0
      ? paint(context, context.stdout, 'red', `${formatNumberOf(failed, 'failure')}`)
      : paint(context, context.stdout, 'green', 'healthy');
  const more = warnings > 0 ? `, ${formatNumberOf(warnings, 'warning')}` : '';
  printLines(context, [
    `${paint(context, context.stdout, 'bold', 'doctor')}: ${verdict}${more}`,
    ...formatTable(
      context,
      ['part', 'name', 'state', 'what was found'],
      checks.map(({ part, name, state, message }) => [
        part,
        printable(name),
        paint(context, context.stdout, colours[state], state),
        printable(message),
      ]),
    ),
  ]);
  for (const { name, hint, state } of checks) {
    if (state !== 'ok' && hint !== undefined) printNote(context, `${name}: ${hint}`);
  }
}
